//! Objects and lists from paths: `a.0.b` = 1 is `{"a": [{"b": 1}]}`.

use aitrace_model::{AnyValue, Json};

use crate::embed::opened;
use crate::parts::array;

/// Levels that a path may nest; what lies deeper keeps its dots.
const DEPTH: usize = 32;

enum Node {
    Leaf(Json),
    /// In the order in which the members came.
    Branch(Vec<(String, Node)>),
}

/// The value that paths and their values make up; JSON text is opened where `open` says so.
pub(crate) fn nested(pieces: &[(&str, &AnyValue)], open: bool) -> Json {
    let mut root = Node::Branch(Vec::new());
    for (path, value) in pieces {
        let leaf = if open { opened(value) } else { value.to_json() };
        insert(&mut root, path, leaf);
    }
    json(&root)
}

fn insert(root: &mut Node, path: &str, leaf: Json) {
    let mut node = root;
    for step in path.splitn(DEPTH, '.') {
        if let Node::Leaf(value) = node {
            // `a` and `a.b` were both sent: the whole stands beside the parts.
            *node = Node::Branch(vec![(String::new(), Node::Leaf(value.clone()))]);
        }
        let Node::Branch(members) = node else { return };
        let at = members.iter().position(|(key, _)| key == step).unwrap_or_else(|| {
            members.push((step.to_owned(), Node::Branch(Vec::new())));
            members.len() - 1
        });
        node = &mut members[at].1;
    }
    *node = Node::Leaf(leaf);
}

/// Depth is bounded by [`DEPTH`].
fn json(node: &Node) -> Json {
    match node {
        Node::Leaf(value) => value.clone(),
        Node::Branch(members) => {
            let values: Vec<(&str, Json)> =
                members.iter().map(|(key, node)| (key.as_str(), json(node))).collect();
            let mut indexed: Vec<(usize, &Json)> =
                values.iter().filter_map(|(key, value)| Some((key.parse().ok()?, value))).collect();
            indexed.sort_by_key(|(index, _)| *index);
            let list = !values.is_empty()
                && indexed.len() == values.len()
                && indexed.iter().enumerate().all(|(at, (index, _))| at == *index);
            if list {
                array(indexed.into_iter().map(|(_, value)| value.clone()))
            } else {
                Json::object(values.iter().map(|(key, value)| (*key, value)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[(&str, &str)]) -> String {
        let values: Vec<(&str, AnyValue)> = pieces.iter().map(|(k, v)| (*k, AnyValue::from(*v))).collect();
        let pieces: Vec<(&str, &AnyValue)> = values.iter().map(|(k, v)| (*k, v)).collect();
        nested(&pieces, true).as_str().to_owned()
    }

    #[test]
    fn paths_make_objects_and_lists() {
        assert_eq!(of(&[("a.b", "1"), ("a.c.0", "x"), ("a.c.1", "y")]), r#"{"a":{"b":"1","c":["x","y"]}}"#);
        assert_eq!(of(&[("1", "a"), ("0", "b")]), r#"["b","a"]"#);
        assert_eq!(of(&[("1", "a")]), r#"{"1":"a"}"#, "no list without a first item");
        assert_eq!(of(&[("a", "{\"b\": 1}")]), r#"{"a":{"b": 1}}"#);
        assert_eq!(of(&[("a", "1"), ("a.b", "2")]), r#"{"a":{"":"1","b":"2"}}"#);
        let deep = vec!["a"; 100].join(".");
        assert!(of(&[(&deep, "x")]).contains("a.a.a"));
    }
}
