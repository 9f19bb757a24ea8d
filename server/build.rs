//! Tells cargo what is built in: migrations, and the web part if it was built before.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// The built web part, below a folder that is always there: cargo would run this again and again for one that is not.
const WATCHED: &str = "../web/dist";
const SITE: &str = "../web/dist/site";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../migrations");
    println!("cargo:rerun-if-changed={WATCHED}");
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join(SITE);
    let mut files = Vec::new();
    // Without its first page the web part is not built, or not to its end.
    if root.join("index.html").is_file() {
        files_under(&root, &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for file in files {
        let text =
            |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| format!("{} is not UTF-8", path.display()));
        let name = text(file.strip_prefix(&root)?)?.replace('\\', "/");
        writeln!(table, "    ({name:?}, include_bytes!({:?})),", text(&file)?)?;
    }
    table.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("site_files.rs"), table)?;
    Ok(())
}

fn files_under(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files_under(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
