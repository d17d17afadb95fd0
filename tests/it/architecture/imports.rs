//! Which file of src imports which: no imports go in a circle.
//!
//! **Definition.** File A imports file B if code of A names an item that B declares: in a `use`, or by a path in an
//! expression, a type, a pattern or a macro's tokens. What a path leads to is found as the compiler finds it: through
//! `use`, `self`, `super`, `crate` and re-exports, down to the file that declares the item. So a caller of
//! `store::customers::create` imports `store/customers/create.rs`, though `store/customers/mod.rs` re-exports it.
//!
//! - A `mod child;` imports nothing, nor does a re-export of what is declared below the module itself. A parent that uses
//!   such an item in its own code imports it.
//! - A path that ends at a module imports nothing: what is named through it does.
//! - A name that a macro or an included file generates belongs to the file that has the macro or the `include!`.
//! - A method is not an import: its receiver's type is known already. Two files with an `impl` of the same type do not
//!   import each other for that.
//! - Code under `#[cfg(test)]` and files with tests alone do not count.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{
    ImplItemFn, Item, ItemFn, ItemMacro, ItemMod, ItemUse, Macro, PatIdent, UseTree, Visibility,
    visit::{self, Visit},
};

use super::source::{InTokens, is_for_tests, root};

/// The imports of a source tree: which file imports which, by which name.
pub(super) struct Imports(BTreeMap<String, BTreeMap<String, String>>);

impl Imports {
    /// Reads all files of a crate, from `lib.rs` on.
    pub(super) fn of(src: &Path) -> Self {
        let mut tree = Tree { src: src.to_owned(), modules: Vec::new() };
        tree.read_file(src.join("lib.rs"), None, String::new(), src.to_owned());
        tree.imports()
    }

    /// How many files there are.
    pub(super) fn files(&self) -> usize {
        self.0.len()
    }

    /// The circles: files that import one another, directly or through others, each with its imports within the circle.
    pub(super) fn circles(&self) -> Vec<Vec<String>> {
        let reached: BTreeMap<&str, BTreeSet<&str>> =
            self.0.keys().map(|file| (file.as_str(), self.reach(file))).collect();
        let mut circles = BTreeSet::new();
        for (file, reach) in &reached {
            let circle: Vec<&str> = reach.iter().copied().filter(|other| reached[other].contains(file)).collect();
            if !circle.is_empty() {
                circles.insert(circle);
            }
        }
        let within = |circle: Vec<&str>| {
            let imports =
                circle.iter().flat_map(|file| self.0[*file].iter().map(move |(other, name)| (file, other, name)));
            let imports = imports.filter(|(_, other, _)| circle.contains(&other.as_str()));
            imports.map(|(file, other, name)| format!("{file} -> {other} ({name})")).collect()
        };
        circles.into_iter().map(within).collect()
    }

    /// The files that a file imports, directly or through others.
    fn reach(&self, file: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&str> = self.0[file].keys().map(String::as_str).collect();
        while let Some(file) = next.pop() {
            if reached.insert(file) {
                next.extend(self.0[file].keys().map(String::as_str));
            }
        }
        reached
    }
}

/// A module: a file, or one within a file.
struct Module {
    file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// The names of the items that are declared here.
    items: BTreeSet<String>,
    uses: Vec<Use>,
    /// The paths in its code.
    paths: BTreeSet<Vec<String>>,
}

/// One name that a `use` brings into a module.
struct Use {
    name: String,
    path: Vec<String>,
    public: bool,
}

/// What a path leads to.
#[derive(Clone, Copy, PartialEq)]
enum Target {
    Module(usize),
    /// An item of this module.
    Item(usize),
}

struct Tree {
    src: PathBuf,
    modules: Vec<Module>,
}

impl Tree {
    /// Reads a file as a module; `folder` is where its children are.
    fn read_file(&mut self, path: PathBuf, parent: Option<usize>, name: String, folder: PathBuf) {
        let file = path.strip_prefix(&self.src).unwrap().to_str().unwrap().to_owned();
        let parsed = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
        self.read(file, parent, name, folder, &parsed.items);
    }

    fn read(&mut self, file: String, parent: Option<usize>, name: String, folder: PathBuf, items: &[Item]) {
        let module = self.modules.len();
        if let Some(parent) = parent {
            self.modules[parent].children.insert(name, module);
        }
        self.modules.push(Module {
            file,
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            uses: Vec::new(),
            paths: BTreeSet::new(),
        });
        let mut reader = Reader { tree: self, module, folder, locals: BTreeSet::new() };
        for item in items {
            if !is_for_tests(item) {
                reader.tree.modules[module].items.extend(name_of(item));
                reader.visit_item(item);
            }
        }
    }

    fn imports(&self) -> Imports {
        let mut imports: BTreeMap<String, BTreeMap<String, String>> =
            self.modules.iter().map(|module| (module.file.clone(), BTreeMap::new())).collect();
        for (at, module) in self.modules.iter().enumerate() {
            let used = module.uses.iter().filter_map(|used| match self.resolve(at, &used.path) {
                Some(Target::Item(to)) if !(used.public && self.is_below(to, at)) => Some((to, &used.path)),
                _ => None,
            });
            let named = module.paths.iter().filter_map(|path| match self.resolve(at, path) {
                Some(Target::Item(to)) => Some((to, path)),
                _ => None,
            });
            for (to, path) in used.chain(named) {
                let file = &self.modules[to].file;
                if *file != module.file {
                    imports.get_mut(&module.file).unwrap().entry(file.clone()).or_insert_with(|| path.join("::"));
                }
            }
        }
        Imports(imports)
    }

    fn is_below(&self, module: usize, above: usize) -> bool {
        std::iter::successors(Some(module), |at| self.modules[*at].parent).skip(1).any(|at| at == above)
    }

    /// What a path in a module leads to; none if that is in another crate.
    fn resolve(&self, from: usize, path: &[String]) -> Option<Target> {
        self.follow(from, path, &mut BTreeSet::new())
    }

    /// `seen` has the names that are being resolved: a `use` may lead to itself.
    fn follow(&self, from: usize, path: &[String], seen: &mut BTreeSet<(usize, String, bool)>) -> Option<Target> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.modules[from].parent?),
            name => self.find(from, name, rest.is_empty(), seen)?,
        };
        while let (Target::Module(module), Some((name, after))) = (at, rest.split_first()) {
            at = match name.as_str() {
                "super" => Target::Module(self.modules[module].parent?),
                "self" => at,
                // A name that is not there is generated there.
                name => self.find(module, name, after.is_empty(), seen).unwrap_or(Target::Item(module)),
            };
            rest = after;
        }
        Some(at)
    }

    /// What a name in a module is. A module and a function may have the same name: at the end of a path it is the
    /// function's, before the end the module's.
    fn find(
        &self,
        module: usize,
        name: &str,
        ends: bool,
        seen: &mut BTreeSet<(usize, String, bool)>,
    ) -> Option<Target> {
        let here = &self.modules[module];
        let item = here.items.contains(name).then_some(Target::Item(module));
        let child = here.children.get(name).map(|child| Target::Module(*child));
        let declared = if ends { item.or(child) } else { child.or(item) };
        let key = (module, name.to_owned(), ends);
        if matches!((declared, ends), (Some(Target::Item(_)), true) | (Some(Target::Module(_)), false))
            || !seen.insert(key.clone())
        {
            return declared;
        }
        let mut used = here.uses.iter().filter(|used| used.name == name);
        let used = used.find_map(|used| self.follow(module, &used.path, seen));
        seen.remove(&key);
        match (used, ends) {
            (Some(Target::Item(_)), true) | (Some(Target::Module(_)), false) => used,
            _ => declared.or(used),
        }
    }
}

/// Reads one module's items.
struct Reader<'a> {
    tree: &'a mut Tree,
    module: usize,
    folder: PathBuf,
    /// The variables of the function that is being read.
    locals: BTreeSet<String>,
}

impl Reader<'_> {
    fn module(&mut self) -> &mut Module {
        &mut self.tree.modules[self.module]
    }

    fn note(&mut self, path: Vec<String>) {
        let is_local = path.len() == 1 && self.locals.contains(&path[0]);
        if !path.is_empty() && !is_local {
            self.module().paths.insert(path);
        }
    }

    /// Reads a function, whose variables are no items though they may have the name of one.
    fn function(&mut self, locals: Locals, read: impl FnOnce(&mut Self)) {
        let outer = self.locals.clone();
        self.locals.extend(locals.0);
        read(self);
        self.locals = outer;
    }

    fn note_use(&mut self, tree: &UseTree, mut path: Vec<String>, public: bool) {
        match tree {
            UseTree::Path(step) => {
                path.push(step.ident.to_string());
                self.note_use(&step.tree, path, public);
            }
            UseTree::Name(name) if name.ident == "self" => {
                let name = path.last().unwrap().clone();
                self.module().uses.push(Use { name, path, public });
            }
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.module().uses.push(Use { name: name.ident.to_string(), path, public });
            }
            UseTree::Rename(rename) => {
                path.push(rename.ident.to_string());
                self.module().uses.push(Use { name: rename.rename.to_string(), path, public });
            }
            UseTree::Glob(_) => {
                let file = self.module().file.clone();
                panic!("{file}: a use of everything in {} hides what is imported", path.join("::"));
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_use(tree, path.clone(), public)),
        }
    }
}

/// The names that patterns bind.
#[derive(Default)]
struct Locals(BTreeSet<String>);

impl<'ast> Visit<'ast> for Locals {
    fn visit_pat_ident(&mut self, bound: &'ast PatIdent) {
        self.0.insert(bound.ident.to_string());
        visit::visit_pat_ident(self, bound);
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        let mut locals = Locals::default();
        locals.visit_item_fn(item);
        self.function(locals, |reader| visit::visit_item_fn(reader, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        let mut locals = Locals::default();
        locals.visit_impl_item_fn(item);
        self.function(locals, |reader| visit::visit_impl_item_fn(reader, item));
    }

    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let name = item.ident.to_string();
        let (file, parent, folder) = (self.module().file.clone(), Some(self.module), self.folder.join(&name));
        match &item.content {
            Some((_, items)) => self.tree.read(file, parent, name, folder, items),
            None => {
                let beside = self.folder.join(format!("{name}.rs"));
                let path = if beside.exists() { beside } else { folder.join("mod.rs") };
                self.tree.read_file(path, parent, name, folder);
            }
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.note_use(&item.tree, Vec::new(), !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        self.visit_macro(&item.mac);
    }

    fn visit_macro(&mut self, used: &'ast Macro) {
        self.visit_path(&used.path);
        InTokens::read(used.tokens.clone()).paths.into_iter().for_each(|path| self.note(path));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.note(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

#[test]
fn no_imports_go_in_a_circle() {
    let imports = Imports::of(&root().join("src"));
    assert!(imports.files() > 150, "{}", imports.files());
    let circles = imports.circles();
    assert!(circles.is_empty(), "move what both need into a file of its own: {circles:#?}");
}

/// The circles of a crate of these files.
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let src = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = src.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Imports::of(src.path()).circles()
}

#[test]
fn a_circle_is_found_through_use_paths_macros_and_re_exports() {
    let lib = ("lib.rs", "pub mod a; pub mod b;");
    let circle = |a: &str, b: &str| circles_of(&[lib, ("a.rs", a), ("b.rs", b)]).len();
    let a = "use crate::b::B; pub struct A; pub fn a() -> B { B }";
    assert_eq!(circle(a, "pub struct B; use super::a::A; fn b(_: A) {}"), 1);
    assert_eq!(circle(a, "pub struct B; fn b() { crate::a::a(); }"), 1);
    assert_eq!(circle(a, "pub struct B; use crate::a; fn b(_: a::A) {}"), 1);
    assert_eq!(circle(a, "pub struct B; fn b() { println!(\"{}\", crate::a::a()); }"), 1);
    assert_eq!(circle(a, "pub struct B; macro_rules! b { () => { $crate::a::a() } }"), 1);
    assert_eq!(circle(a, "pub struct B; fn b(b: B) { match b { crate::a::A => {} } }"), 1);
    assert_eq!(
        circle(a, "pub struct B; use crate::a; fn b(a: u8) { a; }"),
        0,
        "a module that nothing is named through"
    );
    assert_eq!(circle(a, "pub struct B; /// See [`crate::a::A`].\nfn b() {}"), 0, "a comment");
    assert_eq!(circle(a, "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }"), 0, "a test");
}

#[test]
fn a_parent_imports_the_items_that_it_uses_and_not_those_that_it_re_exports() {
    let circle = |parent: &str, child: &str| {
        circles_of(&[("lib.rs", "pub mod p;"), ("p/mod.rs", parent), ("p/c.rs", child)]).len()
    };
    let child = "use super::P; pub struct C(P); pub fn c() {} impl P { pub fn by_child(&self) {} }";
    assert_eq!(circle("mod c; pub use self::c::C; pub struct P;", child), 0);
    assert_eq!(circle("mod c; pub use self::c::c; pub struct P; fn p(c: u8) -> u8 { c }", child), 0, "a variable");
    assert_eq!(circle("mod c; pub struct P; fn p(p: P) { p.by_child() }", child), 0, "a method");
    assert_eq!(circle("mod c; pub use self::c::C; pub struct P; fn p(_: C) {}", child), 1);
    assert_eq!(circle("mod c; use self::c::c; pub struct P; fn p() { c() }", child), 1);
    assert_eq!(circle("mod c; pub struct P; fn p() { c::c() }", child), 1);
    let aunt = [
        ("lib.rs", "pub mod p; pub mod q;"),
        ("p/mod.rs", "mod c; pub use self::c::c;"),
        ("p/c.rs", "use crate::q::Q; pub fn c(_: Q) {}"),
        ("q.rs", "pub struct Q; fn q() { crate::p::c(Q) }"),
    ];
    let circles = circles_of(&aunt);
    assert_eq!(circles, [["p/c.rs -> q.rs (crate::q::Q)", "q.rs -> p/c.rs (crate::p::c)"]], "through the re-export");
}
