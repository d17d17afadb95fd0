//! The files of src, parsed: names, paths, strings and calls, without comments and tests.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    Attribute, Expr, ExprCall, ExprMethodCall, File, Ident, Item, ItemMacro, ItemUse, Lit, LitStr, Macro, UseTree,
    visit::{self, Visit},
};

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What a file's code has in it.
#[derive(Default)]
pub struct Source {
    /// The path below src, as in `store/customers/mod.rs`.
    pub path: String,
    /// All identifiers and keywords of macros.
    pub words: BTreeSet<String>,
    /// All paths, those of `use` and of macros too.
    pub paths: BTreeSet<Vec<String>>,
    /// The paths of the functions that are called.
    pub calls: BTreeSet<Vec<String>>,
    /// All strings.
    pub texts: Vec<String>,
    /// The statements that are sent to the database.
    pub statements: Vec<Statement>,
}

/// A call of one of sqlx's functions that send a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The function.
    pub method: String,
    /// Whether its argument is the connection `conn`.
    pub over_conn: bool,
    /// The name that it has in telemetry: the argument of `.named(…)`.
    pub name: Option<String>,
}

impl Source {
    fn parse(path: String, text: &str) -> Self {
        let file: File = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut source = Self { path, ..Self::default() };
        source.visit_file(&file);
        source
    }

    /// The layer: a folder of src, or a file in src.
    pub fn layer(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// The names that directly follow `root::` in paths.
    pub fn under(&self, root: &str) -> BTreeSet<&str> {
        let next = |path: &'_ Vec<String>| path.iter().position(|name| name == root).map(|at| at + 1);
        self.paths.iter().filter_map(|path| path.get(next(path)?)).map(String::as_str).collect()
    }

    fn flatten(&mut self, tree: &UseTree, mut path: Vec<String>) {
        match tree {
            UseTree::Path(step) => {
                path.push(step.ident.to_string());
                self.flatten(&step.tree, path);
            }
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.paths.insert(path);
            }
            UseTree::Rename(rename) => {
                path.push(rename.ident.to_string());
                self.paths.insert(path);
            }
            UseTree::Glob(_) => {
                path.push("*".to_owned());
                self.paths.insert(path);
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.flatten(tree, path.clone())),
        }
    }

    fn tokens(&mut self, tokens: TokenStream) {
        let read = InTokens::read(tokens);
        self.words.extend(read.words);
        self.paths.extend(read.paths);
        self.texts.extend(read.texts);
    }

    /// A call of a function that sends a statement; `name` is what follows it.
    fn statement(&mut self, call: &ExprMethodCall, name: Option<String>) {
        let over_conn = matches!(call.args.first(), Some(Expr::Path(path)) if path.path.is_ident("conn"));
        self.statements.push(Statement { method: call.method.to_string(), over_conn, name });
    }
}

/// The functions of sqlx that send a statement.
fn sends(call: &ExprMethodCall) -> bool {
    ["execute", "fetch", "fetch_all", "fetch_one", "fetch_optional"].contains(&call.method.to_string().as_str())
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if !attribute.path().is_ident("doc") {
            visit::visit_attribute(self, attribute);
            if let syn::Meta::List(list) = &attribute.meta {
                self.tokens(list.tokens.clone());
            }
        }
    }

    fn visit_ident(&mut self, ident: &'ast Ident) {
        self.words.insert(ident.to_string());
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.flatten(&item.tree, Vec::new());
        visit::visit_item_use(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.insert(segments(path));
        visit::visit_path(self, path);
    }

    fn visit_lit_str(&mut self, text: &'ast LitStr) {
        self.texts.push(text.value());
    }

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        self.visit_macro(&item.mac);
    }

    fn visit_macro(&mut self, used: &'ast Macro) {
        self.visit_path(&used.path);
        self.tokens(used.tokens.clone());
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(function) = &*call.func {
            self.calls.insert(segments(&function.path));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let named = match &*call.receiver {
            Expr::MethodCall(sent) if call.method == "named" && sends(sent) => Some(sent),
            _ => None,
        };
        match (named, call.args.first()) {
            (Some(sent), Some(Expr::Lit(name))) => {
                let Lit::Str(name) = &name.lit else { panic!("{}: a statement's name is a string", self.path) };
                self.statement(sent, Some(name.value()));
                self.visit_lit_str(name);
                visit::visit_expr_method_call(self, sent);
            }
            _ => {
                if sends(call) {
                    self.statement(call, None);
                }
                visit::visit_expr_method_call(self, call);
            }
        }
    }
}

fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// What a macro's tokens have in them, whatever the macro makes of them.
#[derive(Default)]
pub struct InTokens {
    words: BTreeSet<String>,
    pub paths: BTreeSet<Vec<String>>,
    texts: Vec<String>,
}

impl InTokens {
    pub fn read(tokens: TokenStream) -> Self {
        let mut read = Self::default();
        read.group(tokens);
        read
    }

    fn group(&mut self, tokens: TokenStream) {
        let (mut path, mut colons, mut after_dot): (Vec<String>, usize, bool) = (Vec::new(), 0, false);
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    let name = name.to_string();
                    self.words.insert(name.clone());
                    if colons != 2 || path.is_empty() {
                        self.end(&mut path);
                    }
                    // A field or method is no path.
                    if !after_dot {
                        path.push(name);
                    }
                    (colons, after_dot) = (0, false);
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.end(&mut path);
                    colons = 0;
                    after_dot = matches!(&other, TokenTree::Punct(punct) if punct.as_char() == '.');
                    match other {
                        TokenTree::Group(group) if !is_comment(&group) => self.group(group.stream()),
                        TokenTree::Literal(literal) => {
                            if let Ok(Lit::Str(text)) = syn::parse2(TokenTree::from(literal).into()) {
                                self.texts.push(text.value());
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<String>) {
        if !path.is_empty() {
            self.paths.insert(std::mem::take(path));
        }
    }
}

/// A doc comment in a macro's tokens is an attribute: `[doc = "…"]`.
fn is_comment(group: &proc_macro2::Group) -> bool {
    let mut tokens = group.stream().into_iter();
    let is_doc = matches!(tokens.next(), Some(TokenTree::Ident(name)) if name == "doc");
    group.delimiter() == Delimiter::Bracket
        && is_doc
        && matches!(tokens.next(), Some(TokenTree::Punct(punct)) if punct.as_char() == '=')
}

/// Whether an item is under `#[cfg(test)]`.
pub fn is_for_tests(item: &Item) -> bool {
    let attributes: &[Attribute] = match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    };
    let is_test = |attribute: &Attribute| attribute.parse_args::<syn::Path>().is_ok_and(|what| what.is_ident("test"));
    attributes.iter().any(|attribute| attribute.path().is_ident("cfg") && is_test(attribute))
}

/// The paths of all files of src, each below src.
pub fn files() -> Vec<String> {
    let from = root().join("src");
    let (mut folders, mut files) = (vec![from.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(&from).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.sort();
    assert!(files.len() > 80, "{}", files.len());
    files
}

/// The text of a file of src.
pub fn text(path: &str) -> String {
    fs::read_to_string(root().join("src").join(path)).unwrap()
}

/// All files of src except those with only tests.
pub fn sources() -> Vec<Source> {
    let is_code =
        |path: &String| !["tests.rs", "samples.rs"].contains(&Path::new(path).file_name().unwrap().to_str().unwrap());
    files()
        .into_iter()
        .filter(is_code)
        .map(|path| {
            let text = text(&path);
            Source::parse(path, &text)
        })
        .collect()
}

/// The files of a layer.
pub fn layer(layer: &str) -> Vec<Source> {
    let sources: Vec<_> = sources().into_iter().filter(|source| source.layer() == layer).collect();
    assert!(!sources.is_empty(), "{layer} has no files");
    sources
}

#[test]
fn a_source_is_read_without_its_comments_and_tests() {
    let source = Source::parse(
        "a/b.rs".to_owned(),
        r##"
        //! async "no"
        use crate::{a::{self, b, c as d}, d::E};
        /// await "no"
        #[serde(rename = "word")]
        pub fn one(conn: &mut C) -> crate::f::G {
            f::<'c'>("q \" r", '"'); // "no"
            sqlx::query!(r#"x "y""#, a::V, self.field).fetch_one(conn).named("a.one").await;
            sqlx::query("z").bind(1).execute(&mut *conn).await;
            made! { /// "no"
                $crate::g::h(i) }
        }
        #[cfg(test)]
        mod tests { fn no() { crate::no::no("no") } }
        "##,
    );
    assert_eq!(source.layer(), "a");
    assert_eq!(source.texts, ["word", "q \" r", "a.one", "x \"y\"", "z"]);
    assert_eq!(source.under("crate").into_iter().collect::<Vec<_>>(), ["a", "d", "f", "g"]);
    let is_word = |word: &str| source.words.contains(word);
    assert!(is_word("one") && is_word("V") && !is_word("no") && !is_word("async") && !is_word("await"));
    let calls: Vec<String> = source.calls.iter().map(|path| path.join("::")).collect();
    assert_eq!(calls, ["f", "sqlx::query"]);
    let statement = |method: &str, over_conn, name: Option<&str>| Statement {
        method: method.to_owned(),
        over_conn,
        name: name.map(str::to_owned),
    };
    assert_eq!(source.statements, [statement("fetch_one", true, Some("a.one")), statement("execute", false, None)]);
}
