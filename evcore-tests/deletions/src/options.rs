//! The command line. The help is in the scripts `.ci/deletions` and `.ci/mutants`.

#[derive(Default)]
pub struct Options {
    pub files: Vec<String>,
    pub sample: Option<(usize, usize)>,
    pub is_backends: bool,
    pub is_mutants: bool,
    pub is_list: bool,
    pub is_fresh: bool,
    pub is_record: bool,
    pub jobs: usize,
}

impl Options {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { jobs: 2, ..Self::default() };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--file" => options.files.push(value()?.trim_end_matches('/').to_owned()),
                "--sample" => options.sample = Some(sample(&value()?).ok_or("--sample needs K/N, with K less than N")?),
                "--jobs" => {
                    options.jobs = value()?.parse().ok().filter(|jobs| *jobs > 0).ok_or("--jobs needs a number")?
                }
                "--backends" => options.is_backends = true,
                "--mutants" => options.is_mutants = true,
                "--list" => options.is_list = true,
                "--fresh" => options.is_fresh = true,
                "--record" => options.is_record = true,
                _ => return Err(format!("no such option: {word}; .ci/deletions --help has them all")),
            }
        }
        if options.is_record && !(options.files.is_empty() && options.sample.is_none()) {
            return Err("--record is for a whole run".to_owned());
        }
        Ok(options)
    }
}

fn sample(text: &str) -> Option<(usize, usize)> {
    let (number, all) = text.split_once('/')?;
    let (number, all) = (number.parse().ok()?, all.parse().ok()?);
    (number < all).then_some((number, all))
}
