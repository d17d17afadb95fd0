//! The folders in which fetched binaries are cached.

use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::run_as::RunAs;

/// Lists the cache folders, best first: in `XDG_CACHE_HOME`, or else in the user's cache and in the machine's, which root fills
/// for all users. Folders from which PostgreSQL could not run are left out: it refuses to run as root, and its user may not
/// have access.
pub(super) fn cache_dirs(environment: &Environment) -> Vec<PathBuf> {
    let usable = |cache: &Path| {
        let cache_dir = cache.join("clientele/postgresql");
        (cache.is_absolute() && is_accessible(&cache_dir)).then_some(cache_dir)
    };
    if let Some(named) = environment.cache_home.as_deref().and_then(usable) {
        return vec![named];
    }
    let home = environment.home.as_ref().map(|home| home.join(".cache"));
    home.into_iter().chain([environment.root.join("var/cache")]).filter_map(|cache| usable(&cache)).collect()
}

/// Whether the user that PostgreSQL runs as may enter the folder, or could if it existed.
fn is_accessible(folder: &Path) -> bool {
    let existing = folder.ancestors().find(|path| path.exists()).unwrap_or(folder);
    RunAs::choose(Path::new(""))
        .and_then(|run_as| run_as.inaccessible_parent(existing))
        .is_ok_and(|found| found.is_none())
}
