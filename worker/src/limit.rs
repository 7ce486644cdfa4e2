//! Workers' rate-limiting binding. Its numbers are in `wrangler.toml`; it counts where the request
//! came in, roughly and at no cost.

use signalroom_core::rate::Empty;
use worker::{Env, console_error};

/// The binding.
const BINDING: &str = "READS";

/// Its period, milliseconds. It does not say when it ends.
const PERIOD: i64 = 60_000;

/// Counts a request. When that cannot be done, the request passes: nobody is kept out by it.
pub(crate) async fn take(env: &Env, key: String) -> Result<(), Empty> {
    let counted = match env.rate_limiter(BINDING) {
        Ok(limiter) => limiter.limit(key).await,
        Err(error) => Err(error),
    };
    match counted {
        Ok(outcome) if outcome.success => Ok(()),
        Ok(_) => Err(Empty { wait: PERIOD }),
        Err(error) => {
            console_error!("{BINDING}: {error}");
            Ok(())
        }
    }
}
