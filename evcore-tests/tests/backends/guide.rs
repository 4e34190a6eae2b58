//! The code on `docs/writing-a-backend.md` is exactly the code that is compiled and tested here.

mod lines;
mod suite;

const GUIDE: &str = include_str!("../../../docs/writing-a-backend.md");
const SOURCES: [(&str, &str); 2] =
    [("lines.rs", include_str!("guide/lines.rs")), ("suite.rs", include_str!("guide/suite.rs"))];

/// The guide's code blocks, each with its first line's number.
fn blocks() -> Vec<(usize, Vec<&'static str>)> {
    let (mut blocks, mut block) = (Vec::new(), None);
    for (number, line) in (1..).zip(GUIDE.lines()) {
        match &mut block {
            None if line == "```rust" => block = Some((number + 1, Vec::new())),
            None => assert!(!line.starts_with("```rust"), "line {number}: another kind of block is not looked at"),
            Some(_) if line == "```" => blocks.extend(block.take()),
            Some((_, lines)) => lines.push(line),
        }
    }
    assert!(block.is_none(), "a block has no end");
    blocks
}

/// The line at which a block is found in a source, at any indentation.
fn find(source: &[&str], block: &[&str]) -> Option<usize> {
    let is_at = |start: usize| {
        let indent = source[start].len().checked_sub(block[0].len())?;
        block
            .iter()
            .zip(&source[start..])
            .all(|(shown, line)| {
                shown.is_empty() && line.is_empty()
                    || line
                        .split_at_checked(indent)
                        .is_some_and(|(space, rest)| space.trim().is_empty() && rest == *shown)
            })
            .then_some(start)
    };
    (0..(source.len() + 1).saturating_sub(block.len())).find_map(is_at)
}

#[test]
fn the_cases_that_the_guide_names_are_in_the_suite() {
    let (_, examples) = GUIDE.split_once("A failed case's name").unwrap();
    let (examples, _) = examples.split_once("\n\n").unwrap();
    let names: Vec<_> = examples.split('`').skip(1).step_by(2).filter(|name| name.contains('_')).collect();
    assert!(names.len() > 2);
    for name in names {
        assert!(evcore_tests::NAMES.contains(&name), "{name}");
    }
}

#[test]
fn the_guide_shows_what_is_compiled_and_all_of_it() {
    let sources = SOURCES.map(|(name, text)| (name, text.lines().collect::<Vec<_>>()));
    let mut shown = sources.clone().map(|(_, lines)| vec![false; lines.len()]);
    let blocks = blocks();
    assert!(blocks.len() > 5);
    for (number, block) in blocks {
        let places = sources.iter().zip(&mut shown).filter_map(|((_, lines), shown)| {
            let start = find(lines, &block)?;
            shown[start..start + block.len()].fill(true);
            Some(())
        });
        assert!(places.count() > 0, "line {number} of the guide: not what is compiled");
    }
    for ((name, lines), shown) in sources.iter().zip(&shown) {
        for (number, (line, shown)) in (1..).zip(lines.iter().zip(shown)) {
            let has_code = line.contains(|c: char| c.is_alphanumeric()) && !line.starts_with("//!");
            assert!(*shown || !has_code, "{name}:{number} is not in the guide: {line}");
        }
    }
}
