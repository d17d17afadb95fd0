//! The mail of an invitation: its text in two forms, from the templates of the invitation's language.

use chrono::SubsecRound as _;
use lettre::{
    Address, Message,
    message::{Mailbox, MultiPart},
};
use minijinja::{Environment, Value, context};

use crate::{
    domain::values::{email::Email, language::Language, timestamp::Timestamp},
    error::{Error, Result},
};

macro_rules! templates {
    ($($language:literal),+) => {
        /// The templates by name: subject, text and HTML of each language. The ending `.html` turns escaping on.
        const TEMPLATES: &[(&str, &str)] = &[$(
            (concat!($language, ".subject.txt"), include_str!(concat!("templates/", $language, ".subject.txt"))),
            (concat!($language, ".txt"), include_str!(concat!("templates/", $language, ".txt"))),
            (concat!($language, ".html"), include_str!(concat!("templates/", $language, ".html"))),
        )+];

        /// The languages that have templates. The first is that of everybody else.
        const LANGUAGES: &[&str] = &[$($language),+];
    };
}
templates!("en", "de", "nl", "fr");

/// What the mail of an invitation says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letter<'a> {
    pub(super) from: &'a Email,
    pub(super) to: &'a Email,
    pub(super) account: &'a str,
    pub(super) link: &'a str,
    pub(super) expires_at: Timestamp,
    pub(super) language: Option<&'a Language>,
    /// The left part of the `Message-ID`: the same for every attempt of one mail, so that a mail server or a reader can tell
    /// that it got it twice.
    pub(super) id: &'a str,
}

impl Letter<'_> {
    /// The mail. None: its address cannot be written into a mail.
    ///
    /// # Errors
    /// A fault of ours.
    pub(super) fn message(&self) -> Result<Option<Message>> {
        let (Ok(from), Ok(to)) = (self.from.as_str().parse::<Address>(), self.to.as_str().parse::<Address>()) else {
            return Ok(None);
        };
        let (subject, text, html) = self.texts()?;
        let id = format!("<{}@{}>", self.id, from.domain());
        let builder = Message::builder()
            .from(Mailbox::new(None, from))
            .to(Mailbox::new(None, to))
            .subject(subject)
            .message_id(Some(id))
            .multipart(MultiPart::alternative_plain_html(text, html));
        builder.map(Some).map_err(Error::internal)
    }

    /// Subject, text and HTML.
    fn texts(&self) -> Result<(String, String, String)> {
        let mut environment = Environment::new();
        for (name, template) in TEMPLATES {
            environment.add_template(name, template).map_err(Error::internal)?;
        }
        let until = self.expires_at.trunc_subsecs(0).format("%Y-%m-%d %H:%M").to_string();
        let language = self.template_language();
        // Escaped here: the usual escaping writes a slash as an entity, which some readers of mails show as it is.
        let escaped = [("&", "&amp;"), ("\"", "&quot;"), ("<", "&lt;"), (">", "&gt;")];
        let href = escaped.iter().fold(self.link.to_owned(), |text, (plain, entity)| text.replace(plain, entity));
        let href = Value::from_safe_string(href);
        let render = |form: &str| -> Result<String> {
            let name = format!("{language}.{form}");
            let template = environment.get_template(&name).map_err(Error::internal)?;
            let values = context! {
                account => self.account, link => self.link, href => href.clone(), until => until.as_str(),
            };
            template.render(values).map_err(Error::internal)
        };
        // A header is one line, whatever the name of an account may be.
        let subject = render("subject.txt")?.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok((subject.chars().filter(|letter| !letter.is_control()).collect(), render("txt")?, render("html")?))
    }

    /// The language of the templates: that of the tag's first part, if it has some.
    fn template_language(&self) -> &'static str {
        let wanted = self.language.and_then(|language| language.as_str().split('-').next());
        LANGUAGES.iter().find(|language| Some(**language) == wanted).copied().unwrap_or(LANGUAGES[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(account: &str, language: &str) -> (String, String, String) {
        let (from, to) = (Email::parse("portal@firm.example").unwrap(), Email::parse("nora@north.example").unwrap());
        let language = Language::parse(language).unwrap();
        let letter = Letter {
            from: &from,
            to: &to,
            account,
            link: "https://portal.example/join?a=1&token=abc",
            expires_at: "2026-12-06T12:34:56Z".parse().unwrap(),
            language: Some(&language),
            id: "1.1",
        };
        letter.texts().unwrap()
    }

    #[test]
    fn every_language_says_all_of_it_in_both_forms() {
        for (language, subject) in [
            ("en", "Invitation to North"),
            ("de-AT", "Einladung zu North"),
            ("nl", "Uitnodiging voor North"),
            ("fr-BE", "Invitation à rejoindre North"),
            ("pl", "Invitation to North"),
        ] {
            let (found, text, html) = texts("North", language);
            assert_eq!(found, subject);
            assert!(text.contains("\nhttps://portal.example/join?a=1&token=abc\n"), "{text}");
            assert!(html.matches("https://portal.example/join?a=1&amp;token=abc").count() == 2, "{html}");
            for form in [text, html] {
                assert!(form.contains("North") && form.contains("2026-12-06 12:34"), "{form}");
                assert!(!form.contains("{{"), "{form}");
            }
        }
        let names: Vec<&str> = TEMPLATES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), 3 * LANGUAGES.len());
    }

    #[test]
    fn the_name_of_an_account_is_text_and_nothing_else() {
        let (subject, text, html) = texts("<b>R&D</b> \"x\"\r\nBcc: all@firm.example", "en");
        assert_eq!(subject, "Invitation to <b>R&D</b> \"x\" Bcc: all@firm.example");
        assert!(text.contains("<b>R&D</b>"), "{text}");
        assert!(html.contains("&lt;b&gt;R&amp;D&lt;&#x2f;b&gt;") && !html.contains("<b>R"), "{html}");
    }

    #[test]
    fn a_message_is_plain_ascii_with_the_same_id_each_time() {
        let (from, to) = (Email::parse("portal@firm.example").unwrap(), Email::parse("nora@north.example").unwrap());
        let letter = Letter {
            from: &from,
            to: &to,
            account: "Ålesund Fjordreiser",
            link: "https://portal.example/abc",
            expires_at: "2026-12-06T12:34:56Z".parse().unwrap(),
            language: None,
            id: "0190.1",
        };
        let bytes = letter.message().unwrap().unwrap().formatted();
        assert!(bytes.is_ascii());
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("Message-ID: <0190.1@firm.example>\r\n"), "{text}");
        assert!(text.contains("\nSubject: Invitation to =?utf-8?b?w4VsZXN1bmQ=?= Fjordreiser\r\n"), "{text}");
    }
}
