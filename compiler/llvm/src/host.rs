//! The processor that kernels are compiled for: the one they run on.

use inkwell::targets::{InitializationConfig, Target, TargetMachine};

use crate::LlvmError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub triple: String,
    pub cpu: String,
    pub features: String,
    /// Bits of the widest vector that multiplies whole numbers well.
    pub vector_bits: usize,
    /// How many such registers there are.
    pub registers: usize,
}

impl Host {
    pub fn detect() -> Result<Host, LlvmError> {
        Target::initialize_native(&InitializationConfig::default()).map_err(LlvmError::Host)?;
        let triple = TargetMachine::get_default_triple().as_str().to_string_lossy().into_owned();
        let cpu = TargetMachine::get_host_cpu_name().to_string();
        let features = TargetMachine::get_host_cpu_features().to_string();
        // Both are written between quotes in a kernel's text.
        if [&cpu, &features].iter().any(|text| text.contains(['"', '\\']) || text.contains(char::is_control)) {
            return Err(LlvmError::Host(format!("odd name of a processor `{cpu}` or its features `{features}`")));
        }
        Ok(Host::new(triple, cpu, features))
    }

    fn new(triple: String, cpu: String, features: String) -> Host {
        let has = |wanted: &str| features.split(',').any(|feature| feature.strip_prefix('+') == Some(wanted));
        let (vector_bits, registers) = if has("avx512f") && has("avx512dq") && has("avx512bw") && has("avx512vl") {
            (512, 32)
        } else if has("avx2") {
            (256, 16)
        } else {
            (128, 16)
        };
        Host { triple, cpu, features, vector_bits, registers }
    }

    /// The same processor with its widest vectors left out.
    #[cfg(test)]
    pub fn narrowed(&self, vector_bits: usize) -> Host {
        let wide = |feature: &str| match vector_bits {
            512 => false,
            256 => feature.contains("avx512") || feature.contains("evex"),
            _ => {
                feature.contains("avx") || ["+fma", "+f16c", "+vaes", "+vpclmulqdq", "+xop", "+fma4"].contains(&feature)
            }
        };
        let kept: Vec<&str> =
            self.features.split(',').filter(|feature| !(feature.starts_with('+') && wide(feature))).collect();
        Host::new(self.triple.clone(), "x86-64".into(), kept.join(","))
    }
}
