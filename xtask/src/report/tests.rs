use super::*;

#[test]
fn counts_are_read_from_the_closing_line_of_every_runner() {
    let both = Counts { passed: 12, failed: 3 };
    for line in [
        "12 passed, 3 failed",
        "12 passed, 3 failed, 4 skipped of 19 in 3.1 s",
        "12 passed, 3 failed  (15 scenarios, 80 steps, 2.0s)",
        "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out",
        "     Summary [   0.123s] 15 tests run: 12 passed, 3 failed, 1 skipped",
        "     Summary [   0.123s] 15 tests run: 12 passed (2 slow), 3 failed, 1 skipped",
    ] {
        assert_eq!(counts_in(line), both, "{line}");
    }
}

#[test]
fn other_lines_are_not_counted() {
    assert_eq!(counts_in("PASS sign-in passed\nwe passed, 3 failed"), Counts::default());
}
