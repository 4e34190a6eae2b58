//! Evaluates `#[cfg(…)]` for the build that the test suites use.

use std::collections::HashSet;
use std::process::Command;

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Lit, Meta, Token};

/// The names and `name="value"` pairs that are set, without `test` and `feature="check"`: code behind these two is
/// test code.
pub struct Cfg(HashSet<String>);

impl Cfg {
    pub fn new(features: &[&str]) -> Result<Self, String> {
        let output =
            Command::new("rustc").args(["--print", "cfg"]).output().map_err(|error| format!("rustc: {error}"))?;
        let mut set: HashSet<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        set.insert("debug_assertions".into());
        set.extend(features.iter().map(|feature| format!("feature=\"{feature}\"")));
        Ok(Self(set))
    }

    /// Whether all `cfg` attributes among `attributes` are true. For `#[test]` that is not the case.
    pub fn holds(&self, attributes: &[Attribute]) -> bool {
        attributes.iter().all(|attribute| {
            if attribute.path().is_ident("cfg") {
                attribute.parse_args().is_ok_and(|meta: Meta| self.is_set(&meta))
            } else {
                !attribute.path().is_ident("test")
            }
        })
    }

    /// The same for the attributes before an item, a statement or an expression.
    pub fn holds_before(&self, tokens: TokenStream) -> bool {
        let parser = |input: ParseStream| {
            let attributes = input.call(Attribute::parse_outer)?;
            input.parse::<TokenStream>()?;
            Ok(attributes)
        };
        parser.parse2(tokens).is_ok_and(|attributes| self.holds(&attributes))
    }

    fn is_set(&self, meta: &Meta) -> bool {
        match meta {
            Meta::Path(path) => path.get_ident().is_some_and(|name| self.0.contains(&name.to_string())),
            Meta::NameValue(pair) => {
                let Expr::Lit(value) = &pair.value else { return false };
                let (Some(name), Lit::Str(value)) = (pair.path.get_ident(), &value.lit) else { return false };
                self.0.contains(&format!("{name}=\"{}\"", value.value()))
            }
            Meta::List(list) => {
                let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
                let Ok(parts) = list.parse_args_with(parser) else { return false };
                let mut parts = parts.iter().map(|part| self.is_set(part));
                match list.path.get_ident().map(ToString::to_string).as_deref() {
                    Some("all") => parts.all(|is_set| is_set),
                    Some("any") => parts.any(|is_set| is_set),
                    Some("not") => !parts.all(|is_set| is_set),
                    _ => false,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_tests_is_off() {
        let cfg = Cfg::new(&["std"]).unwrap();
        let holds = |text: &str| cfg.holds_before(text.parse().unwrap());
        assert!(holds("fn f() {}"));
        assert!(holds("#[inline] #[cfg(feature = \"std\")] fn f() {}"));
        assert!(holds("#[cfg(not(test))] fn f() {}"));
        assert!(!holds("#[cfg(test)] mod tests {}"));
        assert!(!holds("#[cfg(any(test, feature = \"check\"))] fn check() {}"));
        assert!(!holds("#[cfg(all(feature = \"std\", feature = \"defmt\"))] x.f();"));
    }
}
