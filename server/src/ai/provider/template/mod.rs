//! The provider that needs no model and no network: scaffolds that help people think, labelled as what they are.
//!
//! A scaffold is a set of questions, such as who, what, when. It knows nothing of the topic and never pretends to: every summary
//! begins with the word for "template" and says what to write there. Equal requests get equal answers.

mod answer;
mod check;
mod children;
mod languages;
mod outline;
mod scaffold;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use synapti_crdt::map::Source;

use super::{Answer, Ask, Provider, ProviderError};
use crate::ai::task::Task;

use answer::PacedAnswer;

/// Answers with scaffolds, in the request's language where it has it, else in English.
#[derive(Clone, Copy, Debug, Default)]
pub struct TemplateProvider;

#[async_trait]
impl Provider for TemplateProvider {
    fn name(&self) -> &'static str {
        "template"
    }

    fn model(&self) -> &'static str {
        "template"
    }

    fn source(&self) -> Source {
        Source::Template
    }

    async fn ask(&self, ask: &Ask) -> Result<Box<dyn Answer>, ProviderError> {
        let text = match &ask.task {
            Task::Generate(task) => children::generated(task),
            Task::Expand(task) => children::expanded(task),
            Task::Coherence(task) => check::checked(task),
        };
        Ok(Box::new(PacedAnswer::new(&text, ask.pace)))
    }
}
