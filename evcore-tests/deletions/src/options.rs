//! The command line.

pub const HELP: &str = "\
Deletes the statements of the core, one at a time, and wants a test to fail.

  .ci/deletions                                   all of the core
  .ci/deletions --file evcore/src/limits.rs       only this file or folder; may be given again
  .ci/deletions --sample 0/3                      every third statement, from the first
  .ci/deletions --backends                        the platform crates in place of the core
  .ci/deletions --list                            lists the statements, and runs nothing
  .ci/deletions --jobs 1                          how many test programs run at once; 2 without it
  .ci/deletions --fresh                           forgets what earlier runs found
  .ci/deletions --record                          writes the summary of a whole run into .ci/deletions.survivors

The copy of the repository in target/deletions/tree has each statement under a condition, `if !deleted(17) { … }`, and is
compiled once. The tests run with each number in turn, the cheapest first, until one fails or does not end. Those of the platform
crates are run alone before that, once, to find out which statements they reach: only these tests judge a statement.

What is found is kept in target/deletions/state: a run that was interrupted goes on, and after a change only the statements
of changed functions are judged again, and those that survived.

It fails when a survivor is not in .ci/deletions.survivors, with its reason.
";

#[derive(Default)]
pub struct Options {
    pub files: Vec<String>,
    pub sample: Option<(usize, usize)>,
    pub is_backends: bool,
    pub is_list: bool,
    pub is_fresh: bool,
    pub is_record: bool,
    pub jobs: usize,
}

impl Options {
    /// `None` when the help is wanted.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self { jobs: 2, ..Self::default() };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--file" => options.files.push(value()?.trim_end_matches('/').to_owned()),
                "--sample" => options.sample = Some(sample(&value()?).ok_or("--sample needs K/N, with K less than N")?),
                "--jobs" => {
                    options.jobs = value()?.parse().ok().filter(|jobs| *jobs > 0).ok_or("--jobs needs a number")?
                }
                "--backends" => options.is_backends = true,
                "--list" => options.is_list = true,
                "--fresh" => options.is_fresh = true,
                "--record" => options.is_record = true,
                _ => return Err(format!("no such option: {word}")),
            }
        }
        if options.is_record && !(options.files.is_empty() && options.sample.is_none()) {
            return Err("--record is for a whole run".to_owned());
        }
        Ok(Some(options))
    }
}

fn sample(text: &str) -> Option<(usize, usize)> {
    let (number, all) = text.split_once('/')?;
    let (number, all) = (number.parse().ok()?, all.parse().ok()?);
    (number < all).then_some((number, all))
}
