/* log.c: golden lines; a peer's text cannot forge one (GEN-26, ATK-47). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "log.h"

static void golden(void **state)
{
    (void)state;
    const struct gw_field fields[] = {
        GW_STR("peer", "192.0.2.7:4711"),
        GW_STR("sni", ""),
        GW_STR("evil", "a\r\nb \"c\" \\ d=e"),
        GW_U64("n", 42),
        GW_STR("plain", "word"),
    };
    char line[512];
    size_t len = gw_log_format_line(GW_LOG_TEXT, 1780272000, GW_EV_SESSION_END, fields, 5, line, sizeof line);
    assert_string_equal(line, "2026-06-01T00:00:00Z info event=session.end peer=192.0.2.7:4711 "
                              "evil=\"a\\x0d\\x0ab \\x22c\\x22 \\x5c d=e\" n=42 plain=word\n");
    assert_int_equal(len, strlen(line));
    len = gw_log_format_line(GW_LOG_JSON, 1780272000, GW_EV_SESSION_END, fields, 5, line, sizeof line);
    assert_string_equal(line,
                        "{\"time\":\"2026-06-01T00:00:00Z\",\"level\":\"info\",\"event\":\"session.end\","
                        "\"peer\":\"192.0.2.7:4711\",\"evil\":\"a\\\\x0d\\\\x0ab \\\\x22c\\\\x22 "
                        "\\\\x5c d=e\",\"n\":42,\"plain\":\"word\"}\n");
    assert_int_equal(len, strlen(line));
}

static void long_texts_are_cut_and_lines_end(void **state)
{
    (void)state;
    static char text[5000];
    struct gw_field fields[30];
    char line[1024];
    memset(text, '\x01', sizeof text - 1);
    for (size_t i = 0; i < 30; i++) {
        fields[i] = GW_STR("k", text);
    }
    for (int format = GW_LOG_TEXT; format <= GW_LOG_JSON; format++) {
        size_t len =
            gw_log_format_line((enum gw_log_format)format, 0, GW_EV_READY, fields, 30, line, sizeof line);
        assert_true(len < sizeof line);
        assert_int_equal(line[len - 1], '\n');
        assert_int_equal(line[len - 2], format == GW_LOG_JSON ? '}' : line[len - 2]);
        assert_null(strchr(line, '\x01'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden),
                                       cmocka_unit_test(long_texts_are_cut_and_lines_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
