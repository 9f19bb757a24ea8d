//! Which provider the settings choose, and with which key.

use super::{AiConfig, AiProvider, ConfigError, Secret};

/// Who is chosen by the key that is set, in this order.
const BY_KEY: [AiProvider; 3] = [AiProvider::OpenAi, AiProvider::Anthropic, AiProvider::Gemini];

impl AiConfig {
    /// Who answers: who is named, else whose key is set, else a server of one's own, else the templates.
    pub fn chosen(&self) -> AiProvider {
        let of_key = || BY_KEY.into_iter().find(|provider| self.own_key(*provider).is_some());
        let of_base_url = || self.base_url.as_ref().map(|_| AiProvider::OpenAi);
        self.provider.or_else(of_key).or_else(of_base_url).unwrap_or(AiProvider::Template)
    }

    /// The chosen provider's key.
    pub fn key(&self) -> Option<&Secret> {
        self.api_key.as_ref().or_else(|| self.own_key(self.chosen()))
    }

    /// Those whose keys are set and who are not asked.
    pub fn passed_over(&self) -> impl Iterator<Item = AiProvider> {
        let chosen = self.chosen();
        BY_KEY.into_iter().filter(move |provider| *provider != chosen && self.own_key(*provider).is_some())
    }

    /// What is wrong only in combination.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let chosen = self.chosen();
        if self.api_key.is_some()
            && self.provider.is_none()
            && self.base_url.is_none()
            && BY_KEY.iter().all(|known| self.own_key(*known).is_none())
        {
            return Err(ConfigError::KeyOfNobody);
        }
        let needs_none = chosen == AiProvider::Template || (chosen == AiProvider::OpenAi && self.base_url.is_some());
        if self.key().is_none() && !needs_none {
            return Err(ConfigError::NoAiKey { provider: chosen.name(), variable: chosen.key_variable() });
        }
        Ok(())
    }

    fn own_key(&self, provider: AiProvider) -> Option<&Secret> {
        match provider {
            AiProvider::OpenAi => self.openai_api_key.as_ref(),
            AiProvider::Anthropic => self.anthropic_api_key.as_ref(),
            AiProvider::Gemini => self.gemini_api_key.as_ref(),
            AiProvider::Template => None,
        }
    }
}

impl AiProvider {
    /// As the setting has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Template => "template",
        }
    }

    /// Where its key is looked for.
    const fn key_variable(self) -> &'static str {
        match self {
            Self::OpenAi => "OPENAI_API_KEY",
            Self::Anthropic => "ANTHROPIC_API_KEY",
            Self::Gemini => "GEMINI_API_KEY",
            Self::Template => "SYNAPTI_AI_API_KEY",
        }
    }
}
