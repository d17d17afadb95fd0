//! The file with settings: YAML, and so JSON too; one map from a setting's key to its value.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use super::{
    Problems,
    environment::meant,
    settings::{ALL, Kind, Setting},
};

/// What the file says, by key. All that is wrong is noted, and nothing of a value: it may be a secret.
pub(super) fn read(path: &Path, problems: &mut Problems) -> BTreeMap<&'static str, Vec<String>> {
    let name = path.display();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            problems.0.push(format!("--config {name}: {error}"));
            return BTreeMap::new();
        }
    };
    let map = parse(&text).map_err(|why| problems.0.push(format!("--config {name}: {why}"))).unwrap_or_default();
    let known: Vec<&str> = ALL.iter().map(|setting| setting.key).collect();
    let mut said = BTreeMap::new();
    for (key, value) in map {
        let Some(setting) = ALL.iter().find(|setting| setting.key == key) else {
            problems.0.push(format!("{key} in {name}: there is no such setting{}", meant(&key, &known)));
            continue;
        };
        match texts(setting, value) {
            Ok(texts) => drop(said.insert(setting.key, texts)),
            Err(expected) => problems.0.push(format!("{key} in {name}: must be {expected}")),
        }
    }
    said
}

/// The file's map. Why it is none is said with the place, but not by the reader's own words, which quote the text.
fn parse(text: &str) -> Result<BTreeMap<String, Value>, String> {
    let map: Option<BTreeMap<String, Value>> = serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location().map(|at| format!(" (line {}, column {})", at.line(), at.column()));
        format!("is no YAML map of settings, each there once{}", place.unwrap_or_default())
    })?;
    Ok(map.unwrap_or_default())
}

/// A value's texts, which are read as a flag's would be. Null says nothing: that is how a chart's values unset one.
fn texts(setting: &Setting, value: Value) -> Result<Vec<String>, String> {
    match (setting.kind, value) {
        (_, Value::Null) => Ok(Vec::new()),
        (Kind::List(_), Value::Array(values)) => {
            values.into_iter().map(|value| text(value).ok_or_else(|| "a list of texts".to_owned())).collect()
        }
        (Kind::List(_), _) => Err("a list of texts".to_owned()),
        (Kind::Switch, Value::Bool(yes)) => Ok(vec![yes.to_string()]),
        (Kind::Switch, _) => Err("true or false".to_owned()),
        (Kind::Number, Value::Number(number)) => Ok(vec![number.to_string()]),
        (Kind::Number, _) => Err("a number".to_owned()),
        (Kind::Choice(_) | Kind::Text(_) | Kind::Secret(_), value) => {
            text(value).map(|text| vec![text]).ok_or_else(|| "a text".to_owned())
        }
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(text: &str) -> (BTreeMap<&'static str, Vec<String>>, Vec<String>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let mut problems = Problems::default();
        let said = read(file.path(), &mut problems);
        let name = file.path().display().to_string();
        (said, problems.0.into_iter().map(|problem| problem.replace(&name, "FILE")).collect())
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let yaml = "# a comment\nlisten: 127.0.0.1:0\nconnections: 4\nreflection: true\nlog:\n\
                    operators:\n  - https://id.example ops;team\n  - b c\n";
        let json = r#"{"listen": "127.0.0.1:0", "connections": 4, "reflection": true, "log": null,
                       "operators": ["https://id.example ops;team", "b c"]}"#;
        let (said, problems) = reading(yaml);
        assert_eq!((&said, &problems), (&reading(json).0, &Vec::new()));
        assert_eq!(said["operators"], ["https://id.example ops;team", "b c"]);
        assert_eq!(
            (&said["connections"][..], &said["reflection"][..]),
            (&["4".to_owned()][..], &["true".to_owned()][..])
        );
        assert!(said["log"].is_empty());
        assert_eq!(reading(""), Default::default());
    }

    #[test]
    fn everything_wrong_is_told_at_once_and_no_value_is() {
        let (said, problems) = reading(
            "deadlne: hunter2\nconnections: hunter2\noperators: hunter2\nissuers: [{a: hunter2}]\n\
             reflection: hunter2\ndatabase_url: [hunter2]\ndrain: 5s\nlisten: 50051\n",
        );
        assert_eq!(
            problems,
            [
                "connections in FILE: must be a number",
                "database_url in FILE: must be a text",
                "deadlne in FILE: there is no such setting, did you mean deadline?",
                "issuers in FILE: must be a list of texts",
                "listen in FILE: must be a text",
                "operators in FILE: must be a list of texts",
                "reflection in FILE: must be true or false",
            ]
        );
        assert_eq!(said.into_iter().collect::<Vec<_>>(), [("drain", vec!["5s".to_owned()])]);
    }

    #[test]
    fn what_is_no_map_is_told_with_its_place_and_not_quoted() {
        for wrong in
            ["hunter2", "- hunter2", "a: b: hunter2", "drain: 5s\ndrain: hunter2", "a: \"hunter2", "{\"hunter2"]
        {
            let (_, problems) = reading(wrong);
            let [problem] = &problems[..] else { panic!("{wrong}: {problems:?}") };
            assert!(problem.starts_with("--config FILE: is no YAML map of settings") && !problem.contains("hunter2"));
        }
        let mut problems = Problems::default();
        read(Path::new("/nowhere/config.yaml"), &mut problems);
        assert!(problems.0[0].starts_with("--config /nowhere/config.yaml: "), "{problems:?}");
    }
}
