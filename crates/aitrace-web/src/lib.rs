//! The viewer's files inside the binary.
//!
//! Stage: view. In: `web/dist`, as `npm run build` in `web/` left it. Out: bytes with what an HTTP answer needs.
//!
//! A leaf: it depends on none of our crates and knows no HTTP. Debug builds embed the files too, so a binary never
//! reads the source tree. Where the viewer was not built, the crate compiles and [`index`] is `None`.

use std::borrow::Cow;
use std::fmt::Write as _;

use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

/// One file of the viewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The content, as built.
    pub bytes: Cow<'static, [u8]>,
    /// The value for `Content-Type`, with the charset where the file is text.
    pub mime: &'static str,
    /// The value for `ETag`, quotes included: a strong tag, made from the content's SHA-256.
    pub etag: String,
    /// The name carries a hash of the content, so the file may be cached for ever.
    pub immutable: bool,
}

/// The file at `path`, relative to the viewer's root, with or without a leading slash; `None` where there is none.
///
/// Looks names up in a table: `..` is a name like any other, and never leads out of the viewer.
pub fn file(path: &str) -> Option<File> {
    get::<Dist>(path)
}

/// The page of every route of the viewer; `None` where the viewer was not built into this binary.
pub fn index() -> Option<File> {
    get::<Dist>("index.html")
}

fn get<E: RustEmbed>(path: &str) -> Option<File> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let EmbeddedFile { data, metadata } = E::get(path)?;
    Some(File {
        bytes: data,
        mime: mime(path),
        etag: etag(&metadata.sha256_hash()),
        immutable: path.starts_with("assets/"),
    })
}

/// The types of files that a build of the viewer makes. Anything else is bytes, which no browser runs.
fn mime(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn etag(hash: &[u8; 32]) -> String {
    // 16 of 32 bytes: collisions are as unlikely as they need be, and the header stays short.
    let mut tag = String::with_capacity(34);
    tag.push('"');
    for byte in &hash[..16] {
        write!(tag, "{byte:02x}").expect("writing to a String cannot fail");
    }
    tag.push('"');
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(RustEmbed)]
    #[folder = "tests/site"]
    struct Site;

    #[derive(RustEmbed)]
    #[folder = "tests/no-such-folder"]
    #[allow_missing = true]
    struct Absent;

    #[test]
    fn a_file_is_found_with_and_without_a_slash() {
        let page = get::<Site>("index.html").unwrap();
        assert_eq!(page, get::<Site>("/index.html").unwrap());
        assert_eq!(page.mime, "text/html; charset=utf-8");
        assert_eq!(&*page.bytes, include_bytes!("../tests/site/index.html"));
        assert!(!page.immutable, "the page must be asked for again after an update");
    }

    #[test]
    fn hashed_files_are_immutable() {
        let script = get::<Site>("assets/app-1a2b.js").unwrap();
        assert!(script.immutable);
        assert_eq!(script.mime, "text/javascript; charset=utf-8");
    }

    #[test]
    fn the_tag_is_quoted_and_follows_the_content() {
        let page = get::<Site>("index.html").unwrap();
        let script = get::<Site>("assets/app-1a2b.js").unwrap();
        assert_eq!(page.etag.len(), 34);
        assert!(page.etag.starts_with('"') && page.etag.ends_with('"'));
        assert_ne!(page.etag, script.etag);
        assert_eq!(etag(&[0xab; 32]), format!("\"{}\"", "ab".repeat(16)));
    }

    #[test]
    fn nothing_outside_is_found() {
        for path in [
            "",
            "/",
            "//index.html",
            "assets",
            "assets/",
            "../Cargo.toml",
            "assets/../index.html",
            "%2e%2e/Cargo.toml",
        ] {
            assert_eq!(get::<Site>(path), None, "{path}");
            if !path.is_empty() {
                assert_eq!(file(path), None, "{path}");
            }
        }
    }

    #[test]
    fn a_viewer_that_was_not_built_is_absent() {
        assert_eq!(get::<Absent>("index.html"), None);
    }

    #[test]
    fn unknown_types_are_bytes() {
        assert_eq!(mime("a/b"), "application/octet-stream");
        assert_eq!(mime("a.exe"), "application/octet-stream");
        assert_eq!(mime("a.b/c.svg"), "image/svg+xml");
    }

    #[test]
    fn every_file_that_the_page_names_is_there() {
        let Some(page) = index() else { return };
        let text = String::from_utf8(page.bytes.into_owned()).unwrap();
        let names: Vec<&str> = text.split('"').filter(|word| word.starts_with("/assets/")).collect();
        assert!(!names.is_empty(), "a built page names its script");
        for name in names {
            assert!(file(name).is_some(), "{name}");
        }
    }
}
