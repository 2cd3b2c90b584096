//! Many sessions at once over one prepared model: limits, numbers, an orderly end. This room knows neither files nor HTTP.
