//! What an answer costs.

use super::provider::Usage;
use crate::config::{AiConfig, MicroDollars};

/// Millionths of a dollar for a million tokens, read and written, as the providers' lists had it in November 2026 for requests of our
/// size. Settings go before it.
const KNOWN: [(&str, u64, u64); 26] = [
    ("claude-fable-5-1", 10_000_000, 50_000_000),
    ("claude-haiku-4-5", 1_000_000, 5_000_000),
    ("claude-haiku-5-5", 100_000, 500_000),
    ("claude-opus-4-6", 5_000_000, 25_000_000),
    ("claude-opus-5-5", 4_000_000, 20_000_000),
    ("claude-sonnet-4-5", 3_000_000, 15_000_000),
    ("claude-sonnet-4-6", 3_000_000, 15_000_000),
    ("claude-sonnet-5-5", 2_000_000, 10_000_000),
    ("gemini-2.5-flash", 300_000, 2_500_000),
    ("gemini-2.5-flash-lite", 100_000, 400_000),
    ("gemini-2.5-pro", 1_250_000, 10_000_000),
    ("gemini-3-flash", 500_000, 3_000_000),
    ("gemini-3.1-flash-lite", 250_000, 1_500_000),
    ("gemini-3.1-pro", 2_000_000, 12_000_000),
    ("gemini-3.5-flash", 1_500_000, 9_000_000),
    ("gemini-3.5-flash-lite", 300_000, 2_500_000),
    ("gpt-4.1", 2_000_000, 8_000_000),
    ("gpt-4.1-mini", 400_000, 1_600_000),
    ("gpt-4o", 2_500_000, 10_000_000),
    ("gpt-4o-mini", 150_000, 600_000),
    ("gpt-5.6-luna", 200_000, 1_200_000),
    ("gpt-5.6-sol", 5_000_000, 30_000_000),
    ("gpt-5.6-terra", 2_000_000, 12_000_000),
    ("gpt-6-astra", 10_000_000, 50_000_000),
    ("gpt-6-luna", 100_000, 500_000),
    ("gpt-6-sol", 2_000_000, 10_000_000),
];

const PER: u128 = 1_000_000;

/// What tokens of one model cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// For a million tokens that the model reads.
    input: MicroDollars,
    /// For a million tokens that the model writes.
    output: MicroDollars,
    is_known: bool,
}

impl Prices {
    /// Those of this model, as the settings say, else as the table has it, else nothing.
    pub fn of(config: &AiConfig, provider: &str, model: &str) -> Self {
        if provider == "template" {
            return Self { input: MicroDollars(0), output: MicroDollars(0), is_known: true };
        }
        let listed = KNOWN.iter().find(|(name, ..)| model.strip_prefix(name).is_some_and(is_version));
        let (input, output) = listed.map_or((0, 0), |(_, input, output)| (*input, *output));
        let is_set = config.price_input.is_some() && config.price_output.is_some();
        Self {
            input: config.price_input.unwrap_or(MicroDollars(input)),
            output: config.price_output.unwrap_or(MicroDollars(output)),
            is_known: is_set || listed.is_some(),
        }
    }

    /// Whether somebody knows them; else they count as nothing.
    pub const fn is_known(&self) -> bool {
        self.is_known
    }

    /// What has been used up, in money, rounded up.
    pub fn cost(&self, usage: Usage) -> MicroDollars {
        let of = |tokens: u64, price: MicroDollars| u128::from(tokens) * u128::from(price.0);
        let cost =
            of(usage.input_tokens, self.input).saturating_add(of(usage.output_tokens, self.output)).div_ceil(PER);
        MicroDollars(u64::try_from(cost).unwrap_or(u64::MAX))
    }
}

/// What may follow a model's name without making another model of it: nothing, a date, or how new it is.
fn is_version(rest: &str) -> bool {
    let is_dated =
        rest.strip_prefix(['-', '@']).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    is_dated || matches!(rest, "" | "-latest" | "-preview")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ai::provider, config::Config};

    const USAGE: Usage = Usage { input_tokens: 1_000_000, output_tokens: 10 };

    fn cost(config: &AiConfig, model: &str) -> u64 {
        Prices::of(config, "openai", model).cost(USAGE).0
    }

    #[test]
    fn a_model_costs_what_its_list_says_and_others_nothing() {
        let config = Config::default().ai;
        assert_eq!(cost(&config, "gpt-4o"), 2_500_100);
        assert_eq!(cost(&config, "gpt-4o-2024-08-06"), 2_500_100);
        assert_eq!(cost(&config, "gpt-4o-mini-2024-07-18"), 150_006);
        for unknown in ["gpt-4o-audio", "gpt-4", "llama3.2", ""] {
            assert_eq!(
                (cost(&config, unknown), Prices::of(&config, "openai", unknown).is_known()),
                (0, false),
                "{unknown}"
            );
        }
        for model in [provider::openai::MODEL, provider::anthropic::MODEL, provider::gemini::MODEL] {
            assert!(Prices::of(&config, "x", model).is_known(), "{model} is what nobody has to name");
        }
        assert_eq!(Prices::of(&config, "template", "template").cost(USAGE), MicroDollars(0));
    }

    #[test]
    fn settings_go_before_the_list_and_nothing_overflows() {
        let mut config = Config::default().ai;
        config.price_input = Some(MicroDollars(3));
        assert_eq!(cost(&config, "gpt-4o"), 103);
        config.price_output = Some(MicroDollars(1));
        assert_eq!(cost(&config, "llama3.2"), 4, "a part of a millionth counts as one");
        config.price_output = Some(MicroDollars(u64::MAX));
        let all = Usage { input_tokens: u64::MAX, output_tokens: u64::MAX };
        assert_eq!(Prices::of(&config, "openai", "gpt-4o").cost(all), MicroDollars(u64::MAX));
    }
}
