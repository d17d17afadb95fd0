//! The configuration file: YAML, and so JSON too; one map from a setting's key to its value.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use super::{
    environment::did_you_mean,
    problems::Problems,
    settings::{ALL, Kind, Setting},
};

/// Reads the file's values by key. Every problem is added; none quotes a value, which may be a secret.
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
    let mut values = BTreeMap::new();
    for (key, value) in map {
        let Some(setting) = ALL.iter().find(|setting| setting.key == key) else {
            problems.0.push(format!("{key} in {name}: unknown setting{}", did_you_mean(&key, &known)));
            continue;
        };
        match texts(setting, value) {
            Ok(texts) => drop(values.insert(setting.key, texts)),
            Err(expected) => problems.0.push(format!("{key} in {name}: must be {expected}")),
        }
    }
    values
}

/// Parses the file's map. The error has the position, but not the parser's message, which quotes the text.
fn parse(text: &str) -> Result<BTreeMap<String, Value>, String> {
    let map: Option<BTreeMap<String, Value>> = serde_saphyr::from_str(text).map_err(|error| {
        let position = error.location().map(|at| format!(" (line {}, column {})", at.line(), at.column()));
        format!("is not a YAML map of settings with distinct keys{}", position.unwrap_or_default())
    })?;
    Ok(map.unwrap_or_default())
}

/// Returns a value's texts, which are then parsed like a flag's. Null counts as unset: Helm values unset a setting so.
fn texts(setting: &Setting, value: Value) -> Result<Vec<String>, String> {
    match (setting.kind, value) {
        (_, Value::Null) => Ok(Vec::new()),
        (Kind::List(_), Value::Array(values)) => {
            values.into_iter().map(|value| string(value).ok_or_else(|| "a list of strings".to_owned())).collect()
        }
        (Kind::List(_), _) => Err("a list of strings".to_owned()),
        (Kind::Switch, Value::Bool(yes)) => Ok(vec![yes.to_string()]),
        (Kind::Switch, _) => Err("true or false".to_owned()),
        (Kind::Number, Value::Number(number)) => Ok(vec![number.to_string()]),
        (Kind::Number, _) => Err("a number".to_owned()),
        (Kind::Choice(_) | Kind::Text(_) | Kind::Secret(_), value) => {
            string(value).map(|text| vec![text]).ok_or_else(|| "a string".to_owned())
        }
    }
}

fn string(value: Value) -> Option<String> {
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
        let values = read(file.path(), &mut problems);
        let name = file.path().display().to_string();
        (values, problems.0.into_iter().map(|problem| problem.replace(&name, "FILE")).collect())
    }

    #[test]
    fn yaml_and_json_have_the_same_meaning() {
        let yaml = "# a comment\nlisten: 127.0.0.1:0\npool_size: 4\nreflection: true\nlog:\n\
                    operators:\n  - https://id.example ops;team\n  - b c\n";
        let json = r#"{"listen": "127.0.0.1:0", "pool_size": 4, "reflection": true, "log": null,
                       "operators": ["https://id.example ops;team", "b c"]}"#;
        let (values, problems) = reading(yaml);
        assert_eq!((&values, &problems), (&reading(json).0, &Vec::new()));
        assert_eq!(values["operators"], ["https://id.example ops;team", "b c"]);
        assert_eq!(
            (&values["pool_size"][..], &values["reflection"][..]),
            (&["4".to_owned()][..], &["true".to_owned()][..])
        );
        assert!(values["log"].is_empty());
        assert_eq!(reading(""), Default::default());
    }

    #[test]
    fn all_problems_are_reported_at_once_and_no_value_is() {
        let (values, problems) = reading(
            "deadlne: hunter2\npool_size: hunter2\noperators: hunter2\nissuers: [{a: hunter2}]\n\
             reflection: hunter2\ndatabase_url: [hunter2]\ndrain_timeout: 5s\nlisten: 50051\n",
        );
        assert_eq!(
            problems,
            [
                "database_url in FILE: must be a string",
                "deadlne in FILE: unknown setting, did you mean deadline?",
                "issuers in FILE: must be a list of strings",
                "listen in FILE: must be a string",
                "operators in FILE: must be a list of strings",
                "pool_size in FILE: must be a number",
                "reflection in FILE: must be true or false",
            ]
        );
        assert_eq!(values.into_iter().collect::<Vec<_>>(), [("drain_timeout", vec!["5s".to_owned()])]);
    }

    #[test]
    fn a_file_that_is_not_a_map_is_reported_with_the_position_and_not_quoted() {
        for wrong in
            ["hunter2", "- hunter2", "a: b: hunter2", "deadline: 5s\ndeadline: hunter2", "a: \"hunter2", "{\"hunter2"]
        {
            let (_, problems) = reading(wrong);
            let [problem] = &problems[..] else { panic!("{wrong}: {problems:?}") };
            let start = "--config FILE: is not a YAML map of settings";
            assert!(problem.starts_with(start) && !problem.contains("hunter2"), "{problem}");
        }
        let mut problems = Problems::default();
        read(Path::new("/nowhere/config.yaml"), &mut problems);
        assert!(problems.0[0].starts_with("--config /nowhere/config.yaml: "), "{problems:?}");
    }
}
