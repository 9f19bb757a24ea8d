//! English.

use super::{Check, Language, Scaffold};

pub(super) const EN: Language = Language {
    tag: "en",
    label: "Template: ",
    five_ws: Scaffold {
        name: "5W1H",
        items: &[
            ("Who?", "who takes part in “{x}”, and who is affected by it? Name people and groups."),
            ("What?", "what exactly is “{x}”, and what is it not? Draw the line."),
            ("When?", "when does “{x}” matter? Note dates, durations and sequence."),
            ("Where?", "where does “{x}” take place, and where does it have effects?"),
            ("Why?", "why is there “{x}”? Note reasons and purposes."),
            ("How?", "how does “{x}” work? Describe the way from start to end."),
        ],
    },
    swot: Scaffold {
        name: "SWOT",
        items: &[
            ("Strengths", "what works well within “{x}”? Note what it can build on."),
            ("Weaknesses", "what is missing or fragile within “{x}”?"),
            ("Opportunities", "what around “{x}” could be turned to advantage?"),
            ("Threats", "what around “{x}” could do harm to it?"),
        ],
    },
    causes: Scaffold {
        name: "causes and effects",
        items: &[
            ("Triggers", "what sets “{x}” off? Note what happens just before."),
            ("Root causes", "what lies beneath “{x}”? Keep asking why."),
            ("Direct effects", "what follows from “{x}” at once?"),
            ("Long-term effects", "what follows from “{x}” in the long run?"),
            ("Countermeasures", "what can be done about “{x}”, and by whom?"),
        ],
    },
    pros_cons: Scaffold {
        name: "pros and cons",
        items: &[
            ("Advantages", "what speaks for “{x}”? Note the evidence as well."),
            ("Disadvantages", "what speaks against “{x}”? Note the evidence as well."),
            ("Criteria", "by what should “{x}” be judged? Say what counts most."),
            ("Conditions", "under which conditions does the answer for “{x}” change?"),
            ("Alternatives", "what else could be done instead of “{x}”?"),
        ],
    },
    steps: Scaffold {
        name: "steps",
        items: &[
            ("Goal", "how will you know that “{x}” has succeeded?"),
            ("Preparation", "what must be ready before “{x}” begins?"),
            ("First step", "what is the first thing to do for “{x}”?"),
            ("Next steps", "what follows in “{x}”, and in which order?"),
            ("Review", "how is the result of “{x}” checked, and by whom?"),
            ("Pitfalls", "what often goes wrong with “{x}”, and how is it avoided?"),
        ],
    },
    aspects: Scaffold {
        name: "aspects",
        items: &[
            ("Definition", "how would you define “{x}” in one sentence?"),
            ("Examples", "which examples show “{x}” best?"),
            ("Parts", "which parts does “{x}” consist of?"),
            ("Background", "what should one know about how “{x}” came about?"),
            ("Importance", "to whom does “{x}” matter, and how much?"),
            ("Terms", "which terms need explaining around “{x}”?"),
            ("People involved", "who knows most about “{x}”? Whom can you ask?"),
            ("Tools", "which tools and resources does “{x}” need?"),
            ("Figures", "which figures describe “{x}”? Look them up and note the source."),
            ("Risks", "what is uncertain about “{x}”?"),
            ("Open questions", "what do you not know yet about “{x}”?"),
            ("Sources", "where can you read more about “{x}”?"),
        ],
    },
    focus: ("focus", "what about “{x}” concerns “{f}”? Collect what you know."),
    further: ("Further aspect", "what else belongs to “{x}”? Give this node a name."),
    words_for_steps: &[
        "how to", "guide", "tutorial", "install", "build", "learn", "recipe", "prepare", "plan", "planning", "set up",
    ],
    words_for_pros_cons: &["vs", "versus", "or", "pros", "cons", "better", "should", "compare", "comparison"],
    words_for_causes: &[
        "why", "crisis", "cause", "causes", "effect", "effects", "impact", "problem", "problems", "war", "conflict",
        "failure", "collapse",
    ],
    words_for_swot: &[
        "strategy",
        "company",
        "business",
        "startup",
        "market",
        "brand",
        "product",
        "competition",
        "organisation",
        "organization",
    ],
    check: Check {
        label: "Structure check: ",
        balanced: "the main branches are about equally large.",
        layered: "the map is worked out over several levels ({n}).",
        distinct: "no title comes twice.",
        described: "every node has a summary.",
        small: "the map has few nodes ({n}); add main branches.",
        uneven: "the branch “{x}” is far larger than the others; split it, or work out the others.",
        flat: "everything hangs directly under the centre; group it into branches.",
        wide: "“{x}” has many children ({n}); group them.",
        twice: "the title “{x}” comes more than once; rename or merge these nodes.",
        undescribed: "nodes without a summary: {n}. Say what they mean.",
        untitled: "nodes without a title: {n}. Name them.",
        note: "only the shape of the map was looked at, not what it says.",
    },
};
