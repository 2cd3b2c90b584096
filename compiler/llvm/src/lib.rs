//! Kernel description to native code, compiled on this machine and cached privately.
//!
//! Each party compiles the plan's kernels for its own processor; nobody loads code that somebody else made. [`Llvm`] is
//! a [`Backend`]: its results are those of the portable one, bit for bit.

#![allow(unsafe_code)]

use std::path::{Path, PathBuf};

use inkwell::support::get_llvm_version;
use ptc_kernels::{Backend, Packed};
use ptc_plan::kernel::{Elementwise, Word};

use crate::cache::Cache;
use crate::elementwise::Programs;
use crate::host::Host;
use crate::jit::Jit;
use crate::product::Products;

mod cache;
mod elementwise;
mod host;
mod jit;
mod object;
mod product;
mod text;

#[derive(Debug, thiserror::Error)]
pub enum LlvmError {
    #[error("no native kernels for this processor: {0}")]
    Host(String),
    #[error("kernel cache `{directory}`: {reason}")]
    Cache { directory: PathBuf, reason: String },
    #[error("kernel does not compile: {0}")]
    Compile(String),
    #[error("kernel does not load: {0}")]
    Load(String),
}

pub struct Llvm {
    // Fields go in this order: what calls the code before what owns it.
    products: Products,
    programs: Programs,
    compiler: Compiler,
}

impl Llvm {
    /// Compiles into `cache_dir`, which becomes this user's alone. Every error leaves the portable backend to use.
    pub fn new(cache_dir: &Path) -> Result<Llvm, LlvmError> {
        Llvm::for_host(cache_dir, Host::detect()?)
    }

    fn for_host(cache_dir: &Path, host: Host) -> Result<Llvm, LlvmError> {
        let compiler = Compiler { cache: Cache::open(cache_dir)?, jit: Jit::new()?, host };
        Ok(Llvm { products: Products::new(&compiler)?, programs: Programs::default(), compiler })
    }
}

impl Backend for Llvm {
    fn name(&self) -> &str {
        "llvm"
    }

    fn pack(&self, word: Word, k: usize, n: usize, b: &[u64]) -> Packed {
        self.products.pack(word, k, n, b)
    }

    fn product(&self, a: &[u64], m: usize, b: &Packed, out: &mut [u64]) {
        self.products.product(a, m, b, out);
    }

    fn warm(&self, kernel: &Elementwise) {
        self.programs.warm(&self.compiler, kernel);
    }

    fn elementwise(&self, kernel: &Elementwise, inputs: &[&[u64]], len: usize, is_server: bool) -> Vec<Vec<u64>> {
        self.programs.run(&self.compiler, kernel, inputs, len, is_server)
    }
}

/// From text to addresses, with the cache between.
struct Compiler {
    host: Host,
    cache: Cache,
    jit: Jit,
}

impl Compiler {
    /// The addresses of `symbols`, defined by `functions`; no symbol is loaded twice.
    fn load(&self, functions: &str, symbols: &[String]) -> Result<Vec<u64>, LlvmError> {
        let text = object::module_text(functions, &self.host);
        // The text holds the kernel, the processor and its features.
        let key = format!("{:?} {}\n{text}", get_llvm_version(), self.host.triple);
        let object = self.cache.object(&key, || object::compile(&text, &self.host))?;
        // SAFETY: compiled here for this host, or read back unchanged from the private cache under the key of it.
        unsafe { self.jit.load(&object, symbols) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ptc_kernels::Portable;
    use ptc_kernels::batched::{self, Shape};
    use ptc_kernels::check::input_len;
    use ptc_plan::kernel::{Access, Instruction};
    use ptc_ring::Seed;
    use std::sync::LazyLock;

    /// One for each width of vectors: this processor's, and what an older one would have.
    static BACKENDS: LazyLock<Vec<Llvm>> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::detect().unwrap();
        let hosts = [128, 256, 512].map(|bits| host.narrowed(bits)).into_iter();
        hosts.map(|host| Llvm::for_host(folder.path(), host).unwrap()).collect()
    });

    fn words(seed: u8, len: usize) -> Vec<u64> {
        Seed::from_bytes([seed; 32]).stream(0, 0).words(len)
    }

    fn check_product(word: Word, m: usize, k: usize, n: usize) {
        let (a, b) = (words(1, m * k), words(2, k * n));
        let mut expected = vec![0; m * n];
        Portable.product(&a, m, &Portable.pack(word, k, n, &b), &mut expected);
        for backend in BACKENDS.iter() {
            let mut out = vec![5; m * n];
            backend.product(&a, m, &backend.pack(word, k, n, &b), &mut out);
            assert!(out == expected, "{word:?} [{m}, {k}] · [{k}, {n}] on {} bits", backend.compiler.host.vector_bits);
        }
    }

    #[test]
    fn large_products_use_all_threads() {
        for word in [Word::W32, Word::W64] {
            check_product(word, 67, 131, 203);
            check_product(word, 128, 64, 128);
        }
    }

    fn instruction(defined: u16) -> impl Strategy<Value = Instruction> {
        let register = 0..defined.max(1);
        let pair = (register.clone(), register.clone());
        let number = Just(()).prop_flat_map(|()| any::<u64>().prop_map(Instruction::Const));
        if defined == 0 {
            return prop_oneof![number, Just(Instruction::IsServer)].boxed();
        }
        prop_oneof![
            number,
            Just(Instruction::IsServer),
            pair.clone().prop_map(|(a, b)| Instruction::Add(a, b)),
            pair.clone().prop_map(|(a, b)| Instruction::Subtract(a, b)),
            pair.clone().prop_map(|(a, b)| Instruction::Multiply(a, b)),
            pair.prop_map(|(a, b)| Instruction::And(a, b)),
            (register.clone(), 0u8..64).prop_map(|(a, by)| Instruction::ShiftLeft(a, by)),
            (register.clone(), 0u8..64).prop_map(|(a, by)| Instruction::ShiftRight(a, by)),
            (register, 1u8..=64).prop_map(|(a, bits)| Instruction::Low(a, bits)),
        ]
        .boxed()
    }

    fn access() -> impl Strategy<Value = Access> {
        prop_oneof![
            Just(Access::Full),
            (1u32..50).prop_map(|period| Access::Cycle { period }),
            (1u32..50).prop_map(|period| Access::Each { period }),
            Just(Access::Single),
        ]
    }

    fn program() -> impl Strategy<Value = Elementwise> {
        (proptest::collection::vec(access(), 0..4), 1usize..12).prop_flat_map(|(inputs, count)| {
            let given = inputs.len() as u16;
            let code: Vec<_> = (0..count as u16).map(|at| instruction(given + at)).collect();
            let outputs = proptest::collection::vec(0..given + count as u16, 1..4);
            (code, outputs).prop_map(move |(code, outputs)| Elementwise { inputs: inputs.clone(), code, outputs })
        })
    }

    fn check_program(kernel: &Elementwise, len: usize) {
        let inputs: Vec<Vec<u64>> =
            kernel.inputs.iter().zip(1..).map(|(&access, seed)| words(seed, input_len(access, len))).collect();
        let inputs: Vec<&[u64]> = inputs.iter().map(|input| input.as_slice()).collect();
        for is_server in [false, true] {
            let expected = Portable.elementwise(kernel, &inputs, len, is_server);
            for backend in BACKENDS.iter() {
                assert!(backend.elementwise(kernel, &inputs, len, is_server) == expected, "{kernel:?} on {len} words");
                assert!(backend.programs.all_native(), "{kernel:?} does not compile");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn products_are_those_of_the_portable_backend(m in 0usize..14, k in 0usize..30, n in 0usize..150) {
            check_product(Word::W32, m, k, n);
            check_product(Word::W64, m, k, n);
        }

        #[test]
        fn programs_are_those_of_the_portable_backend(kernel in program(), len in 0usize..3000) {
            check_program(&kernel, len);
        }

        #[test]
        fn batches_are_those_of_the_portable_backend(
            batch in 0usize..4, m in 0usize..10, k in 0usize..40, n in 0usize..40, transpose_b: bool
        ) {
            let shape = Shape { batch, m, k, n, transpose_b };
            let (a, b) = (words(1, batch * m * k), words(2, batch * k * n));
            let expected = batched::product(&Portable, Word::W64, shape, &a, &b);
            for backend in BACKENDS.iter() {
                prop_assert!(batched::product(backend, Word::W64, shape, &a, &b) == expected);
            }
        }
    }

    #[test]
    fn long_programs_use_all_threads() {
        let inputs = vec![Access::Full, Access::Cycle { period: 384 }, Access::Each { period: 384 }, Access::Single];
        let code = vec![Instruction::Multiply(0, 1), Instruction::Add(4, 2), Instruction::Subtract(5, 3)];
        check_program(&Elementwise { inputs, code, outputs: vec![6, 4] }, 384 * 300);
    }

    #[test]
    fn a_second_start_reads_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let kernel = Elementwise { inputs: vec![Access::Full], code: vec![Instruction::Add(0, 0)], outputs: vec![1] };
        let run = || Llvm::new(folder.path()).unwrap().elementwise(&kernel, &[&[1, 2, 3]], 3, true);
        let listed = || {
            let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap());
            let mut found: Vec<_> =
                files.map(|file| (file.file_name(), file.metadata().unwrap().modified().unwrap())).collect();
            found.sort();
            found
        };
        assert_eq!(run(), [[2, 4, 6]]);
        let first = listed();
        assert_eq!(run(), [[2, 4, 6]]);
        assert_eq!(first.len(), 3, "both words' tiles and one program");
        assert_eq!(listed(), first, "nothing was written again");
    }

    #[test]
    fn a_bad_directory_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Llvm::new(file.path()).err().expect("a file is no directory");
        assert!(matches!(error, LlvmError::Cache { .. }), "{error}");
    }
}
