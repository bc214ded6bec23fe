//! Text for people: cleaned of what steers a terminal, durations, times, columns.

use aitrace_model::Timestamp;

/// The text on one line, without escape sequences, control characters and marks that turn the direction of
/// writing: what users trace must not steer the terminal of who looks at it.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '\u{1b}' => skip_sequence(&mut signs),
            '\u{9b}' => skip_parameters(&mut signs),
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => clean.push(' '),
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            sign if sign.is_control() => {}
            sign => clean.push(sign),
        }
    }
    clean
}

type Signs<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// After ESC: a control sequence, a string up to its end, or one more character.
fn skip_sequence(signs: &mut Signs<'_>) {
    match signs.next() {
        Some('[') => skip_parameters(signs),
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(sign) = signs.next() {
                if sign == '\u{7}' || sign == '\u{9c}' {
                    break;
                }
                if sign == '\u{1b}' {
                    signs.next_if_eq(&'\\');
                    break;
                }
            }
        }
        Some(' '..='/') => {
            signs.next();
        }
        _ => {}
    }
}

/// Parameters of a control sequence and its final character.
fn skip_parameters(signs: &mut Signs<'_>) {
    while signs.next_if(|sign| (' '..='?').contains(sign)).is_some() {}
    signs.next_if(|sign| ('@'..='~').contains(sign));
}

/// The text cleaned and cut to `width` characters, with an ellipsis where something is missing.
pub(crate) fn cut(text: &str, width: usize) -> String {
    let clean = clean(text);
    if clean.chars().count() <= width {
        return clean;
    }
    clean.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A duration of nanoseconds in a unit that fits.
pub(crate) fn duration(nanos: i64) -> String {
    let nanos = nanos.max(0);
    let seconds = nanos as f64 / 1e9;
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} µs", nanos / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms", nanos / 1_000_000),
        1_000_000_000..60_000_000_000 => format!("{seconds:.2} s"),
        _ => {
            let whole = nanos / 1_000_000_000;
            if whole < 3600 {
                format!("{} m {:02} s", whole / 60, whole % 60)
            } else {
                format!("{} h {:02} m", whole / 3600, whole / 60 % 60)
            }
        }
    }
}

/// A time to the second, UTC, as `2026-01-31 12:00:00`.
pub(crate) fn time(time: Timestamp) -> String {
    time.to_string().chars().take("2026-01-31T12:00:00".len()).collect::<String>().replace('T', " ")
}

/// The time of day to the millisecond, UTC.
pub(crate) fn time_of_day(time: Timestamp) -> String {
    time.to_string().chars().skip("2026-01-31T".len()).take("12:00:00.000".len()).collect()
}

/// Rows under a heading, in columns as wide as they need to be, two blanks between. The columns listed in
/// `right` are aligned to the right; the last one is not padded.
pub(crate) fn columns(heading: &[&str], rows: &[Vec<String>], right: &[usize]) -> String {
    let count = |text: &str| text.chars().count();
    let mut widths: Vec<usize> = heading.iter().map(|title| count(title)).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = count(cell).max(*width);
        }
    }
    let heading: Vec<String> = heading.iter().map(|title| (*title).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&heading).chain(rows) {
        for (column, cell) in row.iter().enumerate() {
            let gap = " ".repeat(widths[column].saturating_sub(count(cell)));
            let (before, after) =
                if right.contains(&column) { (gap, String::new()) } else { (String::new(), gap) };
            text.push_str(&before);
            text.push_str(cell);
            if column + 1 < row.len() {
                text.push_str(&after);
                text.push_str("  ");
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        for (text, wanted) in [
            ("plain ünïcode 字 🙂", "plain ünïcode 字 🙂"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{9b}2Jgone", "gone"),
            ("a\nb\tc\rd", "a b c d"),
            ("\u{202e}evil\u{2069}", "evil"),
            ("bell\u{7}\u{8}\u{0}", "bell"),
            ("end\u{1b}", "end"),
            ("\u{1b}(Bx", "x"),
            ("\u{1b}Pq#\u{1b}\\y", "y"),
        ] {
            assert_eq!(clean(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn no_text_leaves_a_control_character() {
        // Each pair of awkward characters around each other one.
        let awkward: Vec<char> = "\u{1b}\u{9b}[]P;m\\\u{7}\u{9c}\n\u{202e}a?".chars().collect();
        for first in &awkward {
            for second in &awkward {
                for third in &awkward {
                    let text: String = [*first, *second, *third, *second, *first].iter().collect();
                    assert!(!clean(&text).chars().any(char::is_control), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn durations_take_the_unit_that_fits() {
        for (nanos, wanted) in [
            (-5, "0 ns"),
            (999, "999 ns"),
            (1_500, "1 µs"),
            (320_400_000, "320 ms"),
            (2_314_000_000, "2.31 s"),
            (62_000_000_000, "1 m 02 s"),
            (3_720_000_000_000, "1 h 02 m"),
        ] {
            assert_eq!(duration(nanos), wanted);
        }
    }

    #[test]
    fn times_and_cuts() {
        let noon: Timestamp = "2026-01-31T12:00:00.123456Z".parse().expect("valid");
        assert_eq!(time(noon), "2026-01-31 12:00:00");
        assert_eq!(time_of_day(noon), "12:00:00.123");
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
    }

    #[test]
    fn columns_are_aligned() {
        let rows = vec![
            vec!["a".to_owned(), "10".to_owned(), "x".to_owned()],
            vec!["long".to_owned(), "9".to_owned(), "y".to_owned()],
        ];
        assert_eq!(
            columns(&["N", "COUNT", "Z"], &rows, &[1]),
            "N     COUNT  Z\na        10  x\nlong      9  y\n"
        );
    }
}
