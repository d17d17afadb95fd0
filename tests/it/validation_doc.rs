//! docs/validation.md is written from the tables that the code uses. `WRITE_DOCS=1` writes it; else it is compared.

use std::fmt::Write as _;

use clientele::domain::{
    reference::{
        currencies, industries, places,
        postal_codes::{self, Usage},
        registration::REGISTERS,
        tax::SCHEMES,
    },
    values::{address::AddressPart, rule_code::RuleCode},
};
use strum::VariantArray as _;

const PATH: &str = "docs/validation.md";

const HEAD: &str = "# Validation

Written from the tables that the code uses: `WRITE_DOCS=1 cargo test --test it validation_doc` writes this page, and a test
compares it.

- **Everything at once.** A request that breaks rules is INVALID_FIELDS, and `BadRequest` has all of them: the field
  (`customer.contacts[2].email`), a sentence that says what would be right, and the rule as `reason`. Fields that the account's
  policy requires and that are empty are among them; if nothing else is wrong, the reason is REQUIRED_FIELDS_MISSING. An update
  is compared with the values that are there, too.
- **Names come in, codes go out.** Country, state, currency and industry are understood by their codes and English names, many
  countries and states by names in their own languages too, in any case, with or without accents.
- **No register is asked.** A number that passes need not have been given to anybody.
- **What was stored before stays.** A value that was stored before there was its rule is read and shown as it is, can be sent
  again beside others, and is compared when it is changed. `invalid_fields` of the customer reports it.
- **Nothing is guessed.** A phone number in national form of a customer without a country is kept as it is, unless the owner has
  a `default_region`; it is read as soon as a country is known. A number without its area code has no international form.

## Fields

| field | rule |
|---|---|
| every text | Unicode NFC, trimmed, each run of spaces as one; no control, bidirectional or zero-width characters |
| `name` | 1 to 120 characters |
| `legal_name` | up to 300 characters |
| `custom_ids` | 1 to 255 characters, kept as given with inner spaces, compared folded; at most 20 systems |
| `registration_number` | up to 40 characters; of a BUSINESS in a country below, a number of its register |
| `tax_ids` | at most 20; in a country below, form and check digits; spaces, dots, dashes and prefix as people write them; `country` may be XI, Northern Ireland |
| `currency` | a currency in use |
| `industry` | one of the tenant's list; the default is below |
| `country` | a country of ISO 3166-1, or Kosovo (XK) |
| `state` | a state of ISO 3166-2; other texts are kept, but not where addresses need a state |
| `postal_code` | a postal code of the country, returned in its usual spelling |
| `contacts` | at most 50, each with a first name, a last name or an email address; one is primary, the first if none is marked |
| `email`, `billing_email` | `local@domain.tld` in any script, 254 bytes, 64 of them before the @; plus signs; no quotes, no IP address |
| `phone`, `fax` | a number that can be dialled; `valid` says whether it is in a range in use; the extension apart or in the number |
| `language` | a tag of BCP 47; a language of two letters is one of ISO 639-1 |
| `labels` | at most 50; an empty value removes its label |

";

fn document() -> String {
    let mut text = HEAD.to_owned();
    text += "## Rules\n\nThe `reason` of a violation: the enum FieldRule without its prefix.\n\n| rule | meaning |\n|---|---|\n";
    for code in RuleCode::VARIANTS {
        writeln!(text, "| `{}` | {} |", code.as_str(), code.says()).unwrap();
    }
    text += "\n## Tax numbers\n\nThe European Union, Great Britain and Northern Ireland (XI), Switzerland and Norway. In a form, \
             `9` is a digit, `a` a letter,\n`x` a letter or a digit. `tax_ids[].check` says how far a number could be checked: \
             CHECKSUM_OK, FORMAT_ONLY for kinds without\npublished check digits (of persons in some countries), \
             UNKNOWN_COUNTRY elsewhere.\n\n| country | prefix | forms | example |\n|---|---|---|---|\n";
    for scheme in SCHEMES {
        let forms: Vec<String> = scheme.shapes.iter().map(|shape| format!("`{shape}`")).collect();
        let (prefixes, forms) = (scheme.prefixes.join(", "), forms.join(" "));
        writeln!(text, "| {} | {prefixes} | {forms} | {} |", scheme.country, scheme.example).unwrap();
    }
    text += "\n## Registration numbers\n\nElsewhere any text is accepted.\n\n| country | register | example |\n|---|---|---|\n";
    for register in REGISTERS {
        writeln!(text, "| {} | {} | {} |", register.country, register.name, register.example).unwrap();
    }
    let countries = places::countries();
    let using = |usage: Usage| {
        let codes = countries.iter().filter(|(code, _)| postal_codes::usage(code) == usage).map(|(code, _)| *code);
        codes.collect::<Vec<_>>().join(" ")
    };
    let needing: Vec<&str> = countries
        .iter()
        .map(|(code, _)| *code)
        .filter(|code| postal_codes::needed(code).contains(&AddressPart::State))
        .collect();
    text += "\n## Addresses\n\nThe table is `src/domain/reference/addresses.tsv`, from the data of Google's libaddressinput; \
             `.ci/addresses` renews it.\nA policy that requires a postal code applies only where there are postal codes.\n\n";
    writeln!(text, "- **No postal codes**: {}", using(Usage::None)).unwrap();
    writeln!(text, "- **Optional, or not known here**: {}", using(Usage::Optional)).unwrap();
    writeln!(text, "- **Addresses need a state**: {}", needing.join(" ")).unwrap();
    text += "\n| country | name | postal code |\n|---|---|---|\n";
    for (code, name) in &countries {
        if let Some(example) = postal_codes::example(code) {
            writeln!(text, "| {code} | {name} | {example} |").unwrap();
        }
    }
    text += "\n## Currencies\n\nISO 4217, those in which bills are paid today, by the crate `iso_currency`.\n\n";
    let codes: Vec<&str> = currencies::in_use().into_iter().map(|(code, ..)| code).collect();
    for line in codes.chunks(24) {
        writeln!(text, "{}", line.join(" ")).unwrap();
    }
    text += "\n## Industries\n\nListIndustries returns them, unless the tenant has a list of its own: UpdateAccount of the provider's account sets it (`industries`). Of a\ncode that both lists have, the names below are understood in either.\n\n| code | name | understood too |\n|---|---|---|\n";
    for industry in industries::DEFAULT {
        writeln!(text, "| `{}` | {} | {} |", industry.code, industry.name, industry.also.join(", ")).unwrap();
    }
    text
}

#[test]
fn the_document_is_what_the_tables_say() {
    let document = document();
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(PATH, &document).unwrap();
    }
    let written = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(written == document, "{PATH} is out of date: run this test with WRITE_DOCS=1");
}
