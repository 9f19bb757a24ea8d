//! The AI: who answers, what is kept, and the jobs.

use crate::{
    ai::{
        asker::{Asker, Timing},
        choose,
        jobs::{Answers, Budget, JobOptions, JobParts, Jobs},
        price::Prices,
        provider::{SharedProvider, template::TemplateProvider},
    },
    breaker::{Breaker, Breakers},
    cache::Cache,
    clock::Clock,
    config::{AiConfig, AiFallback, AiProvider, Config},
    hub::Hub,
    store::SharedStore,
};
use std::{sync::Arc, time::Duration};
use tokio_util::task::TaskTracker;

/// Failed requests in a row after which a provider is left alone, and for how long.
const FAILURES_MAX: u32 = 3;
const LEFT_ALONE_FOR: Duration = Duration::from_secs(30);

/// The jobs of this node.
pub(super) fn jobs(
    config: &Config,
    (provider, breakers): (SharedProvider, &Breakers),
    cache: Cache,
    hub: Hub,
    store: SharedStore,
) -> Jobs {
    let ai = &config.ai;
    let asker = asker(ai, provider, breakers);
    let stands_in = ai.fallback == AiFallback::Template && config.ai.chosen() != AiProvider::Template;
    let template = Breaker::new(AiProvider::Template.name(), FAILURES_MAX, LEFT_ALONE_FOR);
    let fallback = stands_in.then(|| Asker::new(Arc::new(TemplateProvider), template, timing(ai)));
    let prices = Prices::of(ai, asker.provider().name(), asker.provider().model());
    let answers = Answers {
        asker,
        fallback,
        cache,
        output_tokens_max: ai.output_tokens_max,
        place: ai.base_url.clone().unwrap_or_default(),
    };
    let (options, clock, tracker) = (options(ai), Clock::system(), TaskTracker::new());
    Jobs::new(JobParts { hub, store, answers, prices, options, clock, tracker })
}

/// Who answers, as the settings say.
///
/// # Errors
/// When the settings cannot be used.
pub(super) fn provider(config: &AiConfig) -> anyhow::Result<SharedProvider> {
    Ok(choose::provider(config)?)
}

fn asker(config: &AiConfig, provider: SharedProvider, breakers: &Breakers) -> Asker {
    let breaker = Breaker::new(provider.name(), FAILURES_MAX, LEFT_ALONE_FOR);
    breakers.add(breaker.clone());
    Asker::new(provider, breaker, timing(config))
}

fn timing(config: &AiConfig) -> Timing {
    Timing {
        first_byte: config.first_byte_timeout,
        idle: config.idle_timeout,
        total: config.total_timeout,
        retries: config.retries,
    }
}

fn options(config: &AiConfig) -> JobOptions {
    JobOptions {
        per_node_max: config.runs_per_node,
        per_client_max: config.runs_per_user,
        per_graph_max: config.runs_per_graph,
        queue_max: config.queue_max,
        retries: config.retries,
        context_tokens_max: config.context_tokens_max as usize,
        client_budget: Budget { tokens: config.tokens_per_user_day, cost: config.cost_per_user_day },
        graph_budget: Budget { tokens: config.tokens_per_graph_day, cost: config.cost_per_graph_day },
    }
}
