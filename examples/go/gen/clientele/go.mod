module clientele

go 1.26.0
