/* wheel.c: every timer goes off once, never early, at most a second late; moved, removed and far ones, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "testenv.h"
#include "wheel.h"

#define NUM 300u

static struct {
    struct gw_timer timer;
    uint32_t fired_at;
    bool fired;
} all[NUM];
static uint32_t now;

static void fire(struct gw_timer *t, void *ctx)
{
    (void)ctx;
    for (unsigned i = 0; i < NUM; i++) {
        if (&all[i].timer == t) {
            assert_false(all[i].fired);
            all[i].fired = true;
            all[i].fired_at = now;
        }
    }
}

static void timers_go_off_on_time(void **state)
{
    (void)state;
    struct testenv t;
    struct gw_wheel w;
    uint32_t deadline[NUM];
    testenv_init(&t, 11);
    memset(all, 0, sizeof all);
    now = 100;
    gw_wheel_init(&w, now);
    for (unsigned i = 0; i < NUM; i++) {
        deadline[i] = now + testenv_below(&t, 2000);
        gw_wheel_set(&w, &all[i].timer, deadline[i]);
    }
    while (w.num > 0) {
        now += 1 + testenv_below(&t, 3);
        gw_wheel_turn(&w, now, fire, NULL);
        unsigned i = testenv_below(&t, NUM); /* life goes on: some are moved, some removed */
        if (!all[i].fired && all[i].timer.prev != NULL) {
            if (testenv_below(&t, 4) == 0) {
                gw_wheel_remove(&w, &all[i].timer);
                deadline[i] = 0;
            } else {
                deadline[i] = now + testenv_below(&t, 900);
                gw_wheel_set(&w, &all[i].timer, deadline[i]);
            }
        }
        assert_true(now < 10000);
    }
    for (unsigned i = 0; i < NUM; i++) {
        assert_int_equal(all[i].fired, deadline[i] != 0);
        if (all[i].fired) {
            assert_true(all[i].fired_at >= deadline[i]);
            assert_true(all[i].fired_at <=
                        deadline[i] + 4); /* the turns above are up to three seconds apart */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(timers_go_off_on_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
