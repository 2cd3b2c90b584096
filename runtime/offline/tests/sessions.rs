//! A dealer, a server and a client over memory channels: one session, several queries.

use ptc_correlation::Supply;
use ptc_correlation::types::{StaticProduct, Triple};
use ptc_kernels::Portable;
use ptc_net::{Channel, PeerError, memory};
use ptc_offline::deal::{QuerySeeds, deal};
use ptc_offline::dealer::{Session, check_transcript, receive_seed};
use ptc_offline::receive::{receive_client, receive_server};
use ptc_offline::weights::{expand_masks, open_weights, receive_weights};
use ptc_plan::Plan;
use ptc_plan::bill::{CHUNK_BYTES, offline};
use ptc_plan::file::Trust;
use ptc_plan::step::{Fixed, Form, Owner, Party, Step, StepOp, Value, ValueId};
use ptc_ring::Seed;
use ptc_ring::tensor::mask;

const ROWS: usize = 300;
const INNER: usize = 40;
const COLUMNS: usize = 50;

/// Products of shares by one weight in 40 bits and in 30, by another elementwise, and of shares.
fn plan() -> Plan {
    let value =
        |shape: &[usize], form| Value { name: "value".into(), shape: shape.to_vec(), form, bound: None, error: None };
    let share = |shape: &[usize], bits| value(shape, Form::Share(Fixed { bits, frac: 0 }));
    let weight = |shape: &[usize]| value(shape, Form::Encoded(Owner::Server, Fixed { bits: 40, frac: 0 }));
    let step = |op, inputs: &[u32], output| Step {
        op,
        inputs: inputs.iter().map(|&i| ValueId(i)).collect(),
        outputs: vec![ValueId(output)],
        round: 0,
        origin: 0,
        method: None,
    };
    Plan {
        model: "test".into(),
        entry: "test".into(),
        trust: Trust::Dealer,
        values: vec![
            share(&[ROWS, INNER], 40),
            weight(&[INNER, COLUMNS]),
            weight(&[INNER]),
            share(&[ROWS, COLUMNS], 40),
            share(&[ROWS, COLUMNS], 30),
            share(&[ROWS, INNER], 40),
            share(&[ROWS, INNER], 40),
        ],
        steps: vec![
            step(StepOp::StaticMatMul { owner: Party::Server, factor_bits: 16 }, &[0, 1], 3),
            step(StepOp::StaticMatMul { owner: Party::Server, factor_bits: 16 }, &[0, 1], 4),
            step(StepOp::StaticMul { owner: Party::Server, factor_bits: 16 }, &[0, 2], 5),
            step(StepOp::Mul, &[0, 0], 6),
        ],
        ..Plan::default()
    }
}

fn weights() -> [Vec<u64>; 3] {
    let words = |index, count| Seed::from_bytes([4; 32]).stream(0, index).ring(40, count);
    [vec![], words(1, INNER * COLUMNS), words(2, INNER)]
}

/// Both parties' supplies of each of `queries`, with the bytes that each party received checked against the plan's price.
fn session(plan: &Plan, queries: usize) -> Vec<[Supply; 2]> {
    let (mut to_server, mut server_dealer) = memory::pair();
    let (mut to_client, mut client_dealer) = memory::pair();
    let (mut server, mut client) = memory::pair();
    let all = weights();
    let (opened, supplies) = std::thread::scope(|scope| {
        scope.spawn(move || {
            let session = Session::open(plan, &Portable, &mut to_server).unwrap();
            (0..queries).for_each(|_| session.query(&mut to_server, &mut to_client).unwrap());
        });
        let masks = receive_seed(&mut server_dealer).unwrap();
        open_weights(plan, &masks, |weight| &all[weight.0 as usize], &mut server).unwrap();
        let opened = receive_weights(plan, &Portable, &mut client).unwrap();
        let query = |_| {
            let server = receive_server(plan, &receive_seed(&mut server_dealer).unwrap());
            check_transcript(&mut server_dealer).unwrap();
            let seed = receive_seed(&mut client_dealer).unwrap();
            let client = receive_client(plan, &seed, &opened, &Portable, &mut client_dealer).unwrap();
            check_transcript(&mut client_dealer).unwrap();
            [server, client]
        };
        let supplies: Vec<_> = (0..queries).map(query).collect();
        (client.counters().received, supplies)
    });
    let price = offline(plan);
    assert_eq!(opened, price.server_to_client_once);
    assert_eq!(
        server_dealer.counters().received,
        price.dealer_to_server_once + queries as u64 * price.dealer_to_server
    );
    assert_eq!(client_dealer.counters().received, queries as u64 * price.dealer_to_client);
    supplies
}

/// The client's mask, and the sum of both products.
fn static_product(supplies: &mut [Supply; 2], step: usize) -> (Vec<u64>, Vec<u64>) {
    let [server, client] = supplies;
    let (Ok(StaticProduct::Server { product: server }), Ok(StaticProduct::Client { mask: r, product: client })) =
        (server.take(step), client.take(step))
    else {
        panic!("step {step} has a static product at each party");
    };
    let (server, client) = (server.unpack(), client.unpack());
    let low = mask(server.bits);
    let sum = server.data.iter().zip(&client.data).map(|(s, c)| s.wrapping_add(*c) & low).collect();
    (r.unpack().into_data(), sum)
}

fn matrix_product(r: &[u64], w: &[u64], bits: u32) -> Vec<u64> {
    let entry = |at: usize| {
        let (row, column) = (at / COLUMNS, at % COLUMNS);
        let products = (0..INNER).map(|i| r[row * INNER + i].wrapping_mul(w[i * COLUMNS + column]));
        products.fold(0, u64::wrapping_add) & mask(bits)
    };
    (0..ROWS * COLUMNS).map(entry).collect()
}

#[test]
fn a_session_opens_weights_once_for_all_queries() {
    let (plan, [_, matrix, row]) = (plan(), weights());
    let mut masks = std::collections::HashSet::new();
    for mut supplies in session(&plan, 3) {
        for (step, bits) in [(0, 40), (1, 30)] {
            let (r, product) = static_product(&mut supplies, step);
            assert!(product == matrix_product(&r, &matrix, bits), "step {step}");
            assert!(masks.insert(r), "a mask came twice");
        }
        let (r, product) = static_product(&mut supplies, 2);
        let expected = r.iter().zip(row.iter().cycle()).map(|(r, w)| r.wrapping_mul(*w) & mask(40));
        assert!(product.iter().copied().eq(expected));
        assert!(masks.insert(r), "a mask came twice");

        let [server, client] = supplies.each_mut().map(|supply| supply.take::<Triple>(3).unwrap());
        let sum = |x: ptc_correlation::Packed, y: ptc_correlation::Packed| -> Vec<u64> {
            x.unpack().data.iter().zip(&y.unpack().data).map(|(x, y)| x.wrapping_add(*y) & mask(40)).collect()
        };
        let (a, b, product) = (sum(server.a, client.a), sum(server.b, client.b), sum(server.product, client.product));
        assert!(product.iter().copied().eq(a.iter().zip(&b).map(|(a, b)| a.wrapping_mul(*b) & mask(40))));
        assert!(masks.insert(a) && masks.insert(b), "a mask came twice");
        assert!(supplies[0].take::<Triple>(3).is_err(), "a correlation is taken once");
    }
}

#[test]
fn a_step_gets_only_what_its_bill_lists() {
    let mut supplies = session(&plan(), 1).remove(0);
    let error = supplies[0].take::<Triple>(0).err().map(|error| error.to_string());
    assert_eq!(
        error.as_deref(),
        Some("step 0 asks for another correlation than a static product, which is next on its bill")
    );
    let error = supplies[0].take::<Triple>(99).err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some("step 99 asks for a correlation more than its bill lists"));
}

#[test]
fn corrections_do_not_depend_on_threads() {
    let plan = plan();
    let masks = expand_masks(&plan, &Seed::from_bytes([1; 32]), &Portable);
    let dealt = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let seeds = QuerySeeds { server: Seed::from_bytes([2; 32]), client: Seed::from_bytes([3; 32]) };
        let mut chunks = vec![];
        let keep = |chunk| {
            chunks.push(chunk);
            Ok(())
        };
        pool.install(|| {
            let mut keep = keep;
            let sink: &mut (dyn FnMut(Vec<u8>) -> Result<(), PeerError> + Send) = &mut keep;
            deal(&plan, &seeds, &masks, &Portable, sink).unwrap();
        });
        chunks
    };
    let chunks = dealt(1);
    assert!(chunks.iter().all(|chunk: &Vec<u8>| chunk.len() as u64 <= CHUNK_BYTES));
    assert!(chunks == dealt(3));
}

#[test]
fn a_dealer_that_leaves_or_lies_is_an_error() {
    let plan = plan();
    let seed = Seed::from_bytes([1; 32]);
    let opened = expand_masks(&plan, &seed, &Portable);
    let (mut dealer, mut client) = memory::pair();
    dealer.send(vec![0; 31]).unwrap();
    assert!(matches!(receive_seed(&mut client), Err(PeerError::WrongLength { expected: 32, found: 31 })));
    dealer.send(vec![0; 1000]).unwrap();
    let supply = receive_client(&plan, &seed, &opened, &Portable, &mut client);
    assert!(matches!(supply.err(), Some(PeerError::WrongLength { found: 1000, .. })));
    drop(dealer);
    let supply = receive_client(&plan, &seed, &opened, &Portable, &mut client);
    assert!(matches!(supply.err(), Some(PeerError::Closed(_))));
}
