//! The formats that maps are exported to and imported from: everything that is said of one is said here.

/// A format of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The map as JSON, with everything that the map says.
    Json,
    /// The tree as a Markdown outline, with summaries and cross links.
    Markdown,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Json, Self::Markdown];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Markdown => "markdown",
        }
    }

    /// How names of its files end.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Markdown => "md",
        }
    }

    /// Its `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Markdown => "text/markdown; charset=utf-8",
        }
    }

    /// The format that is called so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The format of files whose names end so, without the dot.
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "md" | "markdown" | "mdown" | "mkd" | "txt" => Some(Self::Markdown),
            _ => None,
        }
    }

    /// The format of a media type without parameters. Plain text is an outline.
    pub fn from_media_type(essence: &str) -> Option<Self> {
        match essence.to_ascii_lowercase().as_str() {
            "text/markdown" | "text/x-markdown" | "text/plain" => Some(Self::Markdown),
            "application/json" => Some(Self::Json),
            other if other.starts_with("application/") && other.ends_with("+json") => Some(Self::Json),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_found_by_its_own_words() {
        for format in Format::ALL {
            assert_eq!(Format::from_name(format.name()), Some(format));
            assert_eq!(Format::from_extension(format.extension()), Some(format));
            let essence = format.content_type().split(';').next().unwrap_or_default();
            assert_eq!(Format::from_media_type(essence), Some(format));
        }
        assert_eq!(Format::from_media_type("TEXT/plain"), Some(Format::Markdown));
        assert_eq!(Format::from_media_type("application/ld+json"), Some(Format::Json));
        assert_eq!((Format::from_name("xml"), Format::from_extension("xml")), (None, None));
        assert_eq!(Format::from_media_type("application/xml"), None);
    }
}
