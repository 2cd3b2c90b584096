//! What a party consumes in one query, as bytes: the parts of each correlation in the order of the bill. The plan says how
//! many there are of what length, so nothing of that is written or believed.

use std::io;

use ptc_correlation::assemble::{Piece, assemble, disassemble, parts};
use ptc_correlation::{Packed, Planes, Supply};
use ptc_plan::Plan;
use ptc_plan::bill::{Correlation, Part, bill};
use ptc_plan::step::Party;
use zeroize::Zeroizing;

use crate::pool::seal::Failure;

fn items(plan: &Plan) -> impl Iterator<Item = (usize, Correlation)> {
    let of_step = |(step, of): (usize, &_)| bill(&plan.values, of).into_iter().map(move |c| (step, c));
    plan.steps.iter().enumerate().flat_map(of_step)
}

pub fn bytes(plan: &Plan, party: Party) -> u64 {
    let bytes =
        |(_, correlation): (usize, Correlation)| parts(&correlation, party).into_iter().map(Part::bytes).sum::<u64>();
    items(plan).map(bytes).sum()
}

/// Panics when `supply` is not that of `plan`. Each correlation goes from memory once it is written.
pub fn write(
    plan: &Plan,
    party: Party,
    mut supply: Supply,
    mut out: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    for (step, correlation) in items(plan) {
        let held = supply.take_any(step).expect("a source makes what the bill lists");
        let (pieces, parts) = (disassemble(held), parts(&correlation, party));
        assert_eq!(pieces.len(), parts.len(), "parts of a correlation");
        for (piece, part) in pieces.into_iter().zip(parts) {
            assert!(piece.fits(part), "a correlation of another size than on the bill");
            match &piece {
                Piece::Ring(packed) => out(packed.bytes())?,
                Piece::Planes(planes) => write_words(planes.words(), &mut out)?,
            }
        }
    }
    Ok(())
}

/// `fill` gives the next bytes.
pub fn read(
    plan: &Plan,
    party: Party,
    mut fill: impl FnMut(&mut [u8]) -> Result<(), Failure>,
) -> Result<Supply, Failure> {
    let mut supply = Supply::new(plan.steps.len());
    for (step, correlation) in items(plan) {
        let pieces: Result<Vec<Piece>, Failure> =
            parts(&correlation, party).into_iter().map(|part| read_piece(part, &mut fill)).collect();
        supply.put(step, assemble(&correlation, party, pieces?));
    }
    // Where there is nothing to read, its seal is.
    fill(&mut [])?;
    Ok(supply)
}

fn read_piece(part: Part, fill: &mut impl FnMut(&mut [u8]) -> Result<(), Failure>) -> Result<Piece, Failure> {
    match part {
        Part::Ring { count, bits } => {
            let mut bytes = vec![0; part.bytes() as usize];
            fill(&mut bytes)?;
            Ok(Piece::Ring(Packed::from_bytes(bits, count, bytes)))
        }
        Part::Planes { count, planes } => {
            let mut words = vec![0; part.bytes() as usize / 8];
            read_words(&mut words, fill)?;
            Ok(Piece::Planes(Planes::from_words(count, planes, words)))
        }
    }
}

/// Words go through a small buffer, which is wiped.
const BLOCK: usize = 512;

fn write_words(words: &[u64], out: &mut impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut bytes = Zeroizing::new([0; 8 * BLOCK]);
    for words in words.chunks(BLOCK) {
        let bytes = &mut bytes[..8 * words.len()];
        bytes.as_chunks_mut().0.iter_mut().zip(words).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
        out(bytes)?;
    }
    Ok(())
}

fn read_words(words: &mut [u64], fill: &mut impl FnMut(&mut [u8]) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut bytes = Zeroizing::new([0; 8 * BLOCK]);
    for words in words.chunks_mut(BLOCK) {
        let bytes = &mut bytes[..8 * words.len()];
        fill(bytes)?;
        words.iter_mut().zip(bytes.as_chunks().0).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
    }
    Ok(())
}
