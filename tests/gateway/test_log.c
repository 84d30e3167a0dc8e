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

static void datagrams(void **state)
{
    (void)state;
    const struct gw_field fields[] = {GW_STR("peer", "192.0.2.7:4711"), GW_STR("sni", ""),
                                      GW_STR("said", "a\nPRIORITY=0\n"), GW_U64("bytes_in", 42)};
    char line[2048];

    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    gw_log_prepare();
    size_t len = gw_log_format_syslog(GW_LOG_TEXT, 1780272000 + 8 * 86400, 77, GW_EV_LOGIN_FAILED, fields, 4,
                                      line, sizeof line);
    assert_int_equal(len,
                     strlen("<20>Jun  9 00:00:00 hauberk[77]: warn event=login.failed peer=192.0.2.7:4711 "
                            "said=\"a\\x0aPRIORITY=0\\x0a\" bytes_in=42"));
    assert_memory_equal(line,
                        "<20>Jun  9 00:00:00 hauberk[77]: warn event=login.failed peer=192.0.2.7:4711 "
                        "said=\"a\\x0aPRIORITY=0\\x0a\" bytes_in=42",
                        len);
    len = gw_log_format_prefixed(GW_LOG_TEXT, GW_EV_START_ERROR, fields, 1, line, sizeof line);
    assert_string_equal(line, "<3>error event=start.error peer=192.0.2.7:4711\n");
    assert_int_equal(len, strlen(line));
    len = gw_log_format_journal(GW_LOG_TEXT, GW_EV_SESSION_END, fields, 4, line, sizeof line);
    const char *want = "SYSLOG_IDENTIFIER=hauberk\nSYSLOG_FACILITY=2\nPRIORITY=6\n"
                       "MESSAGE=info event=session.end peer=192.0.2.7:4711 said=\"a\\x0aPRIORITY=0\\x0a\" "
                       "bytes_in=42\n"
                       "HAUBERK_EVENT=session.end\nHAUBERK_PEER=192.0.2.7:4711\n"
                       "HAUBERK_SAID=a\\x0aPRIORITY=0\\x0a\nHAUBERK_BYTES_IN=42\n";
    assert_int_equal(len, strlen(want));
    assert_memory_equal(line, want, len);
}

/* Whatever the texts: a datagram ends within its buffer, journald's with a newline, and no field is half
 * there. */
static void long_datagrams_are_cut(void **state)
{
    (void)state;
    static char text[5000];
    struct gw_field fields[60];
    char line[8192];

    memset(text, 'x', sizeof text - 1);
    for (size_t i = 0; i < 60; i++) {
        fields[i] = GW_STR("k", text);
    }
    for (size_t cap = 700; cap <= sizeof line; cap += 83) {
        size_t len = gw_log_format_journal(GW_LOG_JSON, GW_EV_SESSION_END, fields, 60, line, cap);
        assert_true(len <= cap);
        assert_int_equal(line[len - 1], '\n');
        assert_non_null(memmem(line, len, "HAUBERK_EVENT=session.end\n", 26));
        len = gw_log_format_syslog(GW_LOG_JSON, 0, 1, GW_EV_SESSION_END, fields, 60, line, cap);
        assert_true(len < cap);
        assert_int_equal(line[len - 1], '}');
    }
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden), cmocka_unit_test(datagrams),
                                       cmocka_unit_test(long_datagrams_are_cut),
                                       cmocka_unit_test(long_texts_are_cut_and_lines_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
