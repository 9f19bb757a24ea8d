//! Recorded answers, in whatever pieces they come.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use synapti_server::ai::provider::{Finish, Piece, ProviderError};

use super::{
    ALL, Which, all, end_of,
    played::{Played, Reply},
    text_of, usage_of,
};

async fn pieces_of(which: Which, reply: Reply) -> Vec<Piece> {
    let server = Played::always(reply).await;
    let (pieces, error) = all(&*which.at(&server.base)).await;
    assert_eq!(error, None, "{which:?}");
    pieces
}

async fn outcome_of(which: Which, stream: String) -> (Vec<Piece>, Option<ProviderError>) {
    let server = Played::always(Reply::stream(stream)).await;
    all(&*which.at(&server.base)).await
}

#[tokio::test]
async fn a_recorded_answer_is_the_same_in_whatever_pieces_it_comes() {
    for which in ALL {
        let stream = which.recorded().into_bytes();
        let whole = pieces_of(which, Reply::stream(stream.clone())).await;
        let (text, usage) = which.expected();
        assert_eq!((text_of(&whole).as_str(), usage_of(&whole)), (text, Some(usage)), "{which:?}");
        assert_eq!(end_of(&whole), Some(Finish::Whole), "{which:?}");

        let each_byte = stream.iter().map(|byte| vec![*byte]).collect();
        assert_eq!(pieces_of(which, Reply::streamed(each_byte)).await, whole, "{which:?}, byte by byte");
        for _ in 0..10 {
            let seed = rand::random();
            let mut random = StdRng::seed_from_u64(seed);
            let (mut rest, mut pieces) = (stream.as_slice(), Vec::new());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(random.random_range(1..=rest.len().min(200)));
                pieces.push(piece.to_vec());
                rest = after;
            }
            assert_eq!(pieces_of(which, Reply::streamed(pieces)).await, whole, "{which:?}, seed {seed}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_lacks_its_end_is_cut() {
    // What says that it is whole.
    let ends = ["\"finish_reason\":\"stop\"", "message_stop", "\"finishReason\""];
    for (which, end) in ALL.into_iter().zip(ends) {
        let events = which.events();
        let last = events.iter().position(|event| event.contains(end)).unwrap();
        for kept in 0..=last {
            let stream = events[..kept].concat();
            let half = &events[kept][..events[kept].len() / 2];
            let (pieces, error) = outcome_of(which, stream.clone()).await;
            assert_eq!((end_of(&pieces), error), (None, Some(ProviderError::Cut)), "{which:?} after {kept} events");
            let (pieces, error) = outcome_of(which, stream + half).await;
            assert_eq!((end_of(&pieces), error), (None, Some(ProviderError::Cut)), "{which:?} within event {kept}");
        }
    }
}

#[tokio::test]
async fn how_the_connection_ends_does_not_matter_once_the_answer_is_whole() {
    for which in ALL {
        for reply in [Reply::stream(which.recorded()).closed(), Reply::stream(which.recorded()).stalled()] {
            let pieces = pieces_of(which, reply).await;
            assert_eq!(text_of(&pieces), which.expected().0, "{which:?}");
        }
    }
    let without_done = Which::OpenAi.recorded().replace("data: [DONE]\n\n", "");
    let pieces = pieces_of(Which::OpenAi, Reply::stream(without_done)).await;
    assert_eq!(usage_of(&pieces), Some(Which::OpenAi.expected().1));
}

#[tokio::test]
async fn an_answer_that_is_too_long_says_so() {
    let reasons = [("\"stop\"", "\"length\""), ("end_turn", "max_tokens"), ("\"STOP\"", "\"MAX_TOKENS\"")];
    for (which, (is, shall)) in ALL.into_iter().zip(reasons) {
        let stream = which.recorded();
        assert!(stream.contains(is), "{which:?}");
        let pieces = pieces_of(which, Reply::stream(stream.replace(is, shall))).await;
        assert_eq!(end_of(&pieces), Some(Finish::Length), "{which:?}");
    }
}

#[tokio::test]
async fn a_model_that_declines_is_told_from_one_that_fails() {
    let refusal = concat!(
        "data: {\"choices\":[{\"delta\":{\"refusal\":\"I cannot \"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"refusal\":\"do that.\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    );
    let (_, error) = outcome_of(Which::OpenAi, refusal.to_owned()).await;
    assert_eq!(error, Some(ProviderError::Declined("I cannot do that.".into())));

    let stopped = [("\"stop\"", "\"content_filter\""), ("end_turn", "refusal"), ("\"STOP\"", "\"SAFETY\"")];
    for (which, (is, shall)) in ALL.into_iter().zip(stopped) {
        let (pieces, error) = outcome_of(which, which.recorded().replace(is, shall)).await;
        assert!(matches!(error, Some(ProviderError::Declined(_))), "{which:?}: {error:?}");
        assert_eq!(text_of(&pieces), which.expected().0, "{which:?}: what came before counts");
    }
    let blocked = "data: {\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"}}\n\n";
    let (_, error) = outcome_of(Which::Gemini, blocked.to_owned()).await;
    assert_eq!(error, Some(ProviderError::Declined("PROHIBITED_CONTENT".into())));
}

#[tokio::test]
async fn thoughts_are_signs_of_life_and_no_text() {
    let openai =
        "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n".to_owned() + &Which::OpenAi.recorded();
    let anthropic = Which::Anthropic.recorded().replacen(
        "event: ping",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\nevent: ping",
        1,
    );
    let gemini = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\",\"thought\":true}]}}]}\r\n\r\n"
        .to_owned()
        + &Which::Gemini.recorded();
    for (which, stream) in ALL.into_iter().zip([openai, anthropic, gemini]) {
        let pieces = pieces_of(which, Reply::stream(stream)).await;
        assert_eq!(text_of(&pieces), which.expected().0, "{which:?}");
        assert!(!matches!(pieces[0], Piece::Text(_)), "{which:?}");
    }
}

#[tokio::test]
async fn a_forced_tool_answers_as_text() {
    let stream =
        Which::Anthropic.recorded().replace("text_delta", "input_json_delta").replace("\"text\":", "\"partial_json\":");
    let pieces = pieces_of(Which::Anthropic, Reply::stream(stream)).await;
    assert_eq!(text_of(&pieces), Which::Anthropic.expected().0);
}
