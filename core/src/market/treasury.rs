//! What a 10-year treasury earned, from its yields: the bond bought at par at one day's yield and
//! priced at the next one's.
//!
//! The second-order expansion and the carry are those of Swinkels, "Treasury Bond Return Data
//! Starting in 1962", Data 4(3):91, 2019, <https://doi.org/10.3390/data4030091>. Duration and
//! convexity are summed over the cash flows, which is what its closed forms add up to, and hold at
//! a yield of zero as well.

const YEARS: u32 = 10;
const COUPONS_A_YEAR: f64 = 2.0;

/// The total return (0.01 is 1 %) over `days` calendar days in which the yield went from `before` to
/// `after`, both in percent a year. Not finite where the yields are no yields, -100 % and less.
pub(super) fn total_return(before: f64, after: f64, days: i64) -> f64 {
    let held = before / 100.0;
    let change = after / 100.0 - held;
    let (duration, convexity) = sensitivity(held);
    let carry = (1.0 + held).powf(days as f64 / 365.0) - 1.0;
    carry - duration * change + 0.5 * convexity * change * change
}

/// Modified duration (years) and convexity (years squared) of a par bond with that yield, 0.04 being
/// 4 %. Its price is 1, so that neither is divided by it.
fn sensitivity(held: f64) -> (f64, f64) {
    let coupon = held / COUPONS_A_YEAR;
    let growth = 1.0 + coupon;
    let count = 2 * YEARS;
    let mut discount = 1.0;
    let mut duration = 0.0;
    let mut convexity = 0.0;
    for at in 1..=count {
        discount /= growth;
        let face = if at == count { 1.0 } else { 0.0 };
        let worth = (coupon + face) * discount;
        let years = f64::from(at) / COUPONS_A_YEAR;
        duration += worth * years / growth;
        convexity += worth * years * (years + 0.5) / (growth * growth);
    }
    (duration, convexity)
}

#[cfg(test)]
mod tests {
    use super::{sensitivity, total_return};

    fn near(left: f64, right: f64, tolerance: f64) {
        assert!((left - right).abs() <= tolerance, "{left} {right}");
    }

    #[test]
    fn sums_are_the_closed_forms() {
        for percent in [-1.5, 0.5, 1.0, 4.0, 7.25, 15.84] {
            let held: f64 = percent / 100.0;
            let z = 1.0 + held / 2.0;
            let (duration, convexity) = sensitivity(held);
            near(duration, (1.0 - z.powi(-20)) / held, 1e-9);
            let closed = 2.0 / (held * held) * (1.0 - z.powi(-20)) - 20.0 / held * z.powi(-21);
            near(convexity, closed, 1e-6);
        }
        // Without coupons, all is paid after ten years.
        assert_eq!(sensitivity(0.0), (10.0, 105.0));
    }

    #[test]
    fn known_days() {
        // By hand at 4 %: (1 - 1.02^-20) / 0.04 years, and 1250 (1 - 1.02^-20) - 500 / 1.02^21. The
        // yield rises ten basis points in a day.
        let (duration, convexity) = sensitivity(0.04);
        near(duration, 8.175_717, 1e-6);
        near(convexity, 78.898, 1e-3);
        let carry = 1.04_f64.powf(1.0 / 365.0) - 1.0;
        let expected = carry - duration * 0.001 + 0.5 * convexity * 1e-6;
        near(total_return(4.0, 4.1, 1), expected, 1e-15);
        // Nothing moves: a year earns the yield.
        near(total_return(4.0, 4.0, 365), 0.04, 1e-12);
        assert_eq!(total_return(0.0, 0.0, 3), 0.0);
    }

    /// The bond's true price at the new yield, for the moves that happen.
    #[test]
    fn the_expansion_is_near_the_price() {
        for (before, after) in [(4.0, 4.35), (1.0, 0.55), (0.5, -0.1), (14.0, 13.2)] {
            let (coupon, growth) = (before / 200.0, 1.0 + after / 200.0_f64);
            let price: f64 =
                (1..=20).map(|at| coupon / growth.powi(at)).sum::<f64>() + growth.powi(-20);
            near(total_return(before, after, 0), price - 1.0, 1e-4);
        }
    }

    #[test]
    fn no_yield_is_no_number_and_no_panic() {
        for percent in [-100.5, -200.0, -1e300, 1e300, f64::NAN, f64::INFINITY] {
            let _ = total_return(percent, 4.0, 1);
            let _ = total_return(4.0, percent, i64::MAX);
        }
        assert!(!total_return(-200.0, 4.0, 1).is_finite());
        assert!(!total_return(f64::NAN, 4.0, 1).is_finite());
    }
}
