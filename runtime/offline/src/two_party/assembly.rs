//! Correlations from their pieces, as these come.

use ptc_correlation::assemble::{Piece as Part, assemble};
use ptc_correlation::types::Held;
use ptc_correlation::{Packed, Planes, Supply};
use ptc_plan::bill::Correlation;
use ptc_plan::step::Party;

/// What is there of one correlation of the bill.
struct Place {
    step: usize,
    correlation: Correlation,
    /// By piece.
    pieces: Vec<Option<Vec<Part>>>,
    held: Option<Held>,
}

pub struct Assembly {
    party: Party,
    steps: usize,
    places: Vec<Place>,
}

impl Assembly {
    /// For a plan of `steps` steps whose bill lists `correlations`, each with its step and the number of its pieces.
    pub fn new(
        party: Party,
        steps: usize,
        correlations: impl Iterator<Item = (usize, Correlation, usize)>,
    ) -> Assembly {
        let place = |(step, correlation, pieces): (usize, Correlation, usize)| {
            let pieces = (0..pieces).map(|_| None).collect();
            Place { step, correlation, pieces, held: None }
        };
        Assembly { party, steps, places: correlations.map(place).collect() }
    }

    /// The parts of a piece. With the last one the correlation is put together.
    pub fn put(&mut self, place: usize, piece: usize, parts: Vec<Part>) {
        let place = &mut self.places[place];
        place.pieces[piece] = Some(parts);
        if place.pieces.iter().all(Option::is_some) {
            let pieces = std::mem::take(&mut place.pieces).into_iter().flatten().collect();
            place.held = Some(assemble(&place.correlation, self.party, joined(pieces)));
        }
    }

    /// All correlations. Panics when a piece is missing.
    pub fn supply(self) -> Supply {
        let mut supply = Supply::new(self.steps);
        for place in self.places {
            supply.put(place.step, place.held.expect("every piece was made"));
        }
        supply
    }
}

/// The same part of all pieces becomes one.
fn joined(mut pieces: Vec<Vec<Part>>) -> Vec<Part> {
    if pieces.len() == 1 {
        return pieces.remove(0);
    }
    let mut pieces: Vec<_> = pieces.into_iter().map(Vec::into_iter).collect();
    let mut joined = vec![];
    loop {
        let parts: Vec<Part> = pieces.iter_mut().filter_map(Iterator::next).collect();
        match parts.first() {
            None => return joined,
            Some(Part::Ring(_)) => joined.push(Part::Ring(Packed::join(parts.into_iter().map(elements).collect()))),
            Some(Part::Planes(_)) => joined.push(Part::Planes(Planes::join(parts.into_iter().map(planes).collect()))),
        }
    }
}

fn elements(part: Part) -> Packed {
    match part {
        Part::Ring(packed) => packed,
        Part::Planes(_) => panic!("pieces have the same parts"),
    }
}

fn planes(part: Part) -> Planes {
    match part {
        Part::Planes(planes) => planes,
        Part::Ring(_) => panic!("pieces have the same parts"),
    }
}
