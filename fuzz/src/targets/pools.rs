//! Pools on disk: any bytes as key file, header, query and file names.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::OnceLock;

use ptc_offline::pool::key::Key;
use ptc_offline::pool::{Header, Pool, reserve, status};
use ptc_plan::Plan;
use ptc_plan::file::Trust;
use ptc_plan::step::{Fixed, Form, Party, Step, StepOp, Value, ValueId};
use tempfile::TempDir;

use super::bytes::Bytes;

/// One product of two elements.
fn plan() -> Plan {
    let form = Form::Share(Fixed { bits: 36, frac: 12 });
    let value = |name: &str| Value { name: name.into(), shape: vec![2], form, bound: None, error: None };
    let (inputs, outputs) = (vec![ValueId(0), ValueId(0)], vec![ValueId(1)]);
    let step = Step { op: StepOp::Mul, inputs, outputs, round: 0, origin: 0, method: None };
    Plan { trust: Trust::Dealer, values: vec![value("x"), value("y")], steps: vec![step], ..Plan::default() }
}

struct Place {
    folder: TempDir,
    plan: Plan,
    /// The header's file of a true pool.
    header: Vec<u8>,
}

fn place() -> Place {
    let folder = tempfile::tempdir_in(if Path::new("/dev/shm").exists() { "/dev/shm" } else { "/tmp" });
    let folder = folder.expect("room for a folder");
    let key = Key::open_or_make(&folder.path().join("key")).expect("a fresh key");
    let pool = folder.path().join("pool");
    let vacant = reserve(&pool).expect("an empty folder");
    drop(vacant.start(&key, [1; 32], Party::Client, [2; 32], 4, [3; 32]).expect("a fresh pool"));
    let header = fs::read(pool.join("header")).expect("it was just written");
    Place { folder, plan: plan(), header }
}

pub fn pools(bytes: &[u8]) {
    static PLACE: OnceLock<Place> = OnceLock::new();
    let place = PLACE.get_or_init(place);
    let mut choices = Bytes::new(bytes);
    let path = place.folder.path().join("tried");
    let _ = fs::remove_dir_all(&path);
    fs::DirBuilder::new().mode(0o700).create(&path).expect("room for a folder");
    let mut header = match choices.byte() & 3 {
        0 => choices.take(256).to_vec(),
        _ => place.header.clone(),
    };
    for _ in 0..choices.below(4) {
        let (at, value) = (choices.below(header.len().max(1)), choices.byte());
        header.get_mut(at).into_iter().for_each(|byte| *byte = value);
    }
    write(&path.join("header"), &header);
    for _ in 0..choices.below(3) {
        let name = match choices.byte() & 1 {
            0 => format!("query-{:08}", choices.below(5)),
            _ => String::from_utf8_lossy(choices.take(20)).replace(['/', '\0'], "-"),
        };
        let length = choices.below(120);
        if !name.is_empty() && name != "." && name != ".." {
            write(&path.join(name), choices.take(length));
        }
    }
    let _ = status(&path);
    let _ = Header::from_bytes(&header);
    let other = path.join("key");
    write(&other, choices.take(40));
    let _ = Key::open(&other);
    let key = Key::open(&place.folder.path().join("key")).expect("the key just made");
    if let Ok(mut pool) = Pool::open(&path, &key, &[1; 32], Party::Client) {
        let first = pool.offer().first;
        assert!(pool.take(&place.plan, first).is_err(), "nobody has sealed a query");
    }
}

fn write(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    // A name that no file can have is no matter.
    if let Ok(mut file) = file {
        file.write_all(bytes).expect("room for a file");
    }
}
