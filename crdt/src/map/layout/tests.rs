use proptest::prelude::*;

use super::super::tree::{ParentLink, TreeInput, derive};
use super::plan::{RING_RADIUS, Y_MAX};
use super::*;

/// A map to lay out: each node's parent (by number, below its own), title length and place.
#[derive(Debug, Clone)]
struct Sample {
    parents: Vec<Option<usize>>,
    titles: Vec<String>,
    sizes: Vec<f64>,
    places: Vec<Option<[f64; 3]>>,
}

impl Sample {
    fn new(parents: Vec<Option<usize>>) -> Self {
        let count = parents.len();
        Self {
            titles: (0..count).map(|n| "word ".repeat(n % 9 + 1)).collect(),
            sizes: parents.iter().map(|p| if p.is_none() { 1.5 } else { 0.8 }).collect(),
            places: vec![None; count],
            parents,
        }
    }

    fn lay_out(&self) -> Laid {
        let ids: Vec<String> = (0..self.parents.len()).map(|n| format!("{n:06}")).collect();
        let input: Vec<TreeInput<'_>> = (0..ids.len())
            .map(|n| TreeInput {
                id: &ids[n],
                parent: self.parents[n].map_or(ParentLink::Null, |p| ParentLink::Node(&ids[p])),
                order: "",
            })
            .collect();
        let nodes: Vec<LayoutNode<'_>> = (0..ids.len())
            .map(|n| LayoutNode { id: &ids[n], title: &self.titles[n], size: self.sizes[n], pos: self.places[n] })
            .collect();
        let tree = derive(&input, ids.first().map(String::as_str));
        let places = layout(&tree, &nodes);
        assert_eq!(places, layout(&tree, &nodes), "the same map, the same layout");
        let boxes = nodes.iter().map(|node| label_box(node.title, node.size)).collect();
        Laid { places, boxes, parents: self.parents.clone(), pinned: self.places.iter().map(Option::is_some).collect() }
    }
}

struct Laid {
    places: Vec<[f64; 3]>,
    boxes: Vec<LabelBox>,
    parents: Vec<Option<usize>>,
    pinned: Vec<bool>,
}

impl Laid {
    /// Looks for overlapping automatic labels with a sweep along x, at the precision that readers get.
    fn overlaps(&self) -> Vec<(usize, usize)> {
        let rounded = |n: usize| {
            let [x, _, z] = self.places[n];
            [(x * 100.0).round() / 100.0, (z * 100.0).round() / 100.0]
        };
        let widest = self.boxes.iter().map(|b| b.width).fold(0.0, f64::max);
        let mut sorted: Vec<usize> = (0..self.places.len()).filter(|&n| !self.pinned[n]).collect();
        sorted.sort_by(|&a, &b| self.places[a][0].total_cmp(&self.places[b][0]));
        let mut found = Vec::new();
        for (at, &a) in sorted.iter().enumerate() {
            for &b in &sorted[at + 1..] {
                if rounded(b)[0] - rounded(a)[0] > widest {
                    break;
                }
                if self.boxes[a].overlaps(rounded(a), &self.boxes[b], rounded(b)) {
                    found.push((a, b));
                }
            }
        }
        found
    }

    fn distance_to_parent(&self, node: usize) -> f64 {
        let [x, _, z] = self.places[node];
        let [parent_x, _, parent_z] = self.parents[node].map_or([0.0; 3], |p| self.places[p]);
        (x - parent_x).hypot(z - parent_z)
    }

    fn extent(&self) -> f64 {
        self.places.iter().map(|[x, _, z]| x.hypot(*z)).fold(0.0, f64::max)
    }

    #[track_caller]
    fn assert_sound(&self) {
        assert!(self.places.iter().flatten().all(|c| c.is_finite()));
        assert_eq!(self.overlaps(), []);
    }
}

#[test]
fn a_small_map_has_the_published_radii() {
    // A root, seven children, five children of one of these.
    let mut parents = vec![None];
    parents.extend([Some(0); 7]);
    parents.extend([Some(3); 5]);
    let mut sample = Sample::new(parents);
    sample.titles.iter_mut().for_each(|title| "Photosynthesis in leaves".clone_into(title));
    let laid = sample.lay_out();
    laid.assert_sound();
    assert!(laid.places[0].iter().all(|c| c.abs() < f64::EPSILON));
    for node in 1..8 {
        assert!((laid.distance_to_parent(node) - 4.0).abs() < 1e-9, "{node}");
    }
    for node in 8..13 {
        assert!((laid.distance_to_parent(node) - 2.0).abs() < 1e-9, "{node}");
    }
    let heights: Vec<f64> = laid.places.iter().map(|place| place[1]).collect();
    assert!(heights[1..].iter().any(|y| *y != 0.0) && heights.iter().all(|y| y.abs() <= Y_MAX));
}

#[test]
fn a_ring_that_is_too_full_is_pushed_out_or_continued() {
    let star = |count: usize| {
        let mut parents = vec![None];
        parents.extend(vec![Some(0); count]);
        Sample::new(parents).lay_out()
    };
    let small = star(20);
    small.assert_sound();
    assert!((small.distance_to_parent(1) - small.distance_to_parent(20)).abs() < 1e-9, "one ring");
    let large = star(500);
    large.assert_sound();
    assert!((large.distance_to_parent(1) - 4.0).abs() < 1e-9);
    assert!(large.extent() < 30.0, "a disc of labels, not one huge ring: {}", large.extent());
}

#[test]
fn a_deep_chain_stretches_evenly() {
    let chain = |count: usize| (0..count).map(|n: usize| n.checked_sub(1)).collect();
    let laid = Sample::new(chain(2000)).lay_out();
    laid.assert_sound();
    assert!((2..2000).all(|node| (laid.distance_to_parent(node) - 2.0).abs() < 1e-6));
    let deep = Sample::new(chain(100_000)).lay_out();
    assert!(deep.extent() < 210_000.0);
}

#[test]
fn long_spines_with_branches_grow_with_their_length_and_not_exponentially() {
    // A chain of 500 nodes, each with `legs` more children before and after the next one of the chain.
    for (before, after) in [(0, 1), (1, 1), (3, 2), (8, 0)] {
        let mut parents = vec![None];
        let mut spine = 0;
        for _ in 0..500 {
            parents.extend(vec![Some(spine); before]);
            parents.push(Some(spine));
            let next = parents.len() - 1;
            parents.extend(vec![Some(spine); after]);
            spine = next;
        }
        let laid = Sample::new(parents).lay_out();
        laid.assert_sound();
        assert!(laid.extent() < 500.0 * 12.0, "{before} and {after}: {}", laid.extent());
    }
}

#[test]
fn placed_nodes_stay_and_their_children_keep_clear_of_everything() {
    let mut parents = vec![None];
    parents.extend([Some(0); 12]);
    parents.extend([Some(1); 6]);
    parents.extend([Some(2); 6]);
    let mut sample = Sample::new(parents);
    let beside_another = Some([4.0, 7.0, 0.5]);
    sample.places[1] = beside_another;
    sample.places[2] = beside_another;
    let laid = sample.lay_out();
    laid.assert_sound();
    assert_eq!(Some(laid.places[1]), beside_another);
    assert!((13..25).all(|node| (laid.places[node][1] - 7.0).abs() <= Y_MAX), "at their parent's height");
    for node in (0..25).filter(|&node| !laid.pinned[node]) {
        let [x, _, z] = laid.places[node];
        assert!(!laid.boxes[node].overlaps([x, z], &laid.boxes[1], [4.0, 0.5]), "{node}");
    }
}

#[test]
fn floating_topics_stay_apart_from_the_root_and_from_each_other() {
    let mut parents = vec![None];
    parents.extend([Some(0); 30]);
    for _ in 0..10 {
        let topic = parents.len();
        parents.push(None);
        parents.extend([Some(topic); 9]);
    }
    let laid = Sample::new(parents).lay_out();
    laid.assert_sound();
    let reach_of_root = (0..31).map(|n| laid.places[n][0].hypot(laid.places[n][2])).fold(0.0, f64::max);
    for topic in (31..131).step_by(10) {
        assert!(laid.places[topic][0].hypot(laid.places[topic][2]) > reach_of_root + 2.0);
    }
}

#[test]
fn absurd_places_and_sizes_do_no_harm() {
    let mut parents = vec![None];
    parents.extend([Some(0); 5]);
    parents.extend([Some(1); 40]);
    let mut sample = Sample::new(parents);
    sample.places[1] = Some([f64::MAX, f64::MIN, 1e300]);
    sample.sizes[2] = f64::MAX;
    sample.sizes[3] = f64::MIN_POSITIVE;
    sample.titles[4] = "x".repeat(1_000_000);
    let laid = sample.lay_out();
    laid.assert_sound();
    assert!(laid.extent() >= 1e300);
    assert!((2..6).all(|node| laid.distance_to_parent(node) < 20.0));
}

#[test]
fn boxes_grow_with_titles_up_to_three_lines() {
    let one = label_box("Photosynthese", 0.6);
    let three = label_box(&"Photosynthese ".repeat(20), 0.6);
    assert!(one.width <= 1.4 + 1e-9 && one.height < three.height);
    assert!(three.width <= 1.4 + 1e-9 && three.height <= 0.66 + 1e-9);
    assert!(label_box("光合作用", 0.6).width > label_box("abcd", 0.6).width);
    assert!(2.0 * three.radius() < RING_RADIUS, "a child on its ring never touches its parent");
}

fn any_sample(count: std::ops::Range<usize>, placed: f64) -> impl Strategy<Value = Sample> {
    let place =
        proptest::option::weighted(placed.max(1e-9), [-15.0..15.0_f64, -1.0..1.0, -15.0..15.0].prop_map(|place| place));
    let node = (any::<u32>(), 0..60_usize, 0.3..3.0_f64, place);
    // `reach` decides the shape: small ones give long branches, large ones bushes.
    (proptest::collection::vec(node, count), 1..200_usize).prop_map(move |(nodes, reach)| {
        let parents = nodes.iter().enumerate().map(|(n, (pick, ..))| {
            let is_topic = n == 0 || pick % 97 == 0;
            (!is_topic).then(|| n - 1 - *pick as usize % reach.min(n))
        });
        Sample {
            parents: parents.collect(),
            titles: nodes.iter().map(|(_, length, ..)| "m".repeat(*length)).collect(),
            sizes: nodes.iter().map(|(_, _, size, _)| *size).collect(),
            places: nodes.iter().map(|(.., p)| p.filter(|_| placed > 0.0)).collect(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_automatic_labels_overlap(sample in any_sample(1..2000, 0.0)) {
        sample.lay_out().assert_sound();
    }

    #[test]
    fn no_automatic_labels_overlap_when_some_nodes_are_placed(sample in any_sample(1..300, 0.1)) {
        let mut sample = sample;
        // The root stays at the origin even when somebody put a node there.
        sample.places[0] = None;
        let laid = sample.lay_out();
        let overlaps = laid.overlaps();
        prop_assert_eq!(overlaps, []);
    }
}
