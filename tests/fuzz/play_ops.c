/* play_ops.c: a fuzzer's input as a list of changes to a tape; what fuzz_tls_server.c and fuzz_tls_client.c
 * have in common (ENG-06).
 *
 *   scenario u8 | flags u8 | op u8, its operands | op ...      and behind the last op the rest of the tape
 *
 * flags: 0x07 what is not made right again (enum play_fix); 0x08 reclaim; 0xf0 how input is cut. */
#include "play_ops.h"

#include <hb/cursor.h>

enum op {
    OP_PLAY,    /* the next item as it stands */
    OP_SKIP,    /* leave it out */
    OP_REPEAT,  /* play it, and once more */
    OP_SET,     /* offset u16, value u8: one byte of it changed */
    OP_CUT,     /* offset u16: ends there */
    OP_INSERT,  /* offset u16, length u8, bytes */
    OP_DELETE,  /* offset u16, length u8 */
    OP_ITEM,    /* number u8: another item of this tape, out of order */
    OP_FOREIGN, /* scenario u8, number u8: an item of another tape */
    OP_MESSAGE, /* type u8, length u16, bytes: a message */
    OP_RECORD,  /* type u8, length u16, bytes: a record of this content */
    OP_WIRE,    /* length u16, bytes: on the wire as they are */
    OP_PIECES,  /* length u8: the next item in records of so many bytes */
    OP_JOIN,    /* the next two items in one record */
    OP_SPOIL,   /* offset u16: the next item with a bit flipped after it was sealed */
    OP_OWN,     /* what u8: play_own() */
    OP_LENGTH,  /* u24: the next item with this length in its header */
    OP_DATA,    /* a record of data */
    NUM_OPS
};

static struct hb_span next_bytes(const struct player *p)
{
    return p->at < p->w->tape.num ? p->w->tape.item[p->at].bytes : hb_span(NULL, 0);
}

/* Sends what has been made of the next item. */
static void send_changed(struct player *p, struct hb_bld *b, bool keep_length)
{
    uint8_t type = p->w->tape.item[p->at].type;

    p->at++;
    p->changed = true;
    if (type != HB_REC_HANDSHAKE || b->len < 4) {
        play_record(p, type, hb_bld_span(b));
        return;
    }
    if (!keep_length) {
        b->p[1] = (uint8_t)((b->len - 4) >> 16);
        b->p[2] = (uint8_t)((b->len - 4) >> 8);
        b->p[3] = (uint8_t)(b->len - 4);
    }
    play_message(p, hb_bld_span(b));
}

static void edit(struct player *p, enum op op, struct hb_cur *c)
{
    static uint8_t mem[65536];
    struct hb_bld b = hb_bld(mem, sizeof mem);
    struct hb_span old = next_bytes(p);
    size_t off = op == OP_LENGTH ? 0 : hb_cur_u16(c);

    if (old.len == 0) {
        return;
    }
    off %= old.len + 1;
    hb_bld_put(&b, hb_span_head(old, off));
    if (op == OP_SET) {
        hb_bld_u8(&b, hb_cur_u8(c));
        hb_bld_put(&b, hb_span_skip(old, off + 1));
    } else if (op == OP_INSERT) {
        struct hb_cur bytes = hb_cur_vec8(c);
        hb_bld_put(&b, hb_cur_rest(&bytes));
        hb_bld_put(&b, hb_span_skip(old, off));
    } else if (op == OP_DELETE) {
        hb_bld_put(&b, hb_span_skip(old, off + hb_cur_u8(c)));
    } else if (op == OP_LENGTH) {
        uint32_t len = hb_cur_u24(c);
        hb_bld_put(&b, old);
        if (b.len >= 4) {
            b.p[1] = (uint8_t)(len >> 16);
            b.p[2] = (uint8_t)(len >> 8);
            b.p[3] = (uint8_t)len;
        }
    }
    send_changed(p, &b, op == OP_LENGTH);
}

static void pieces(struct player *p, size_t n)
{
    struct hb_span rest = next_bytes(p);
    uint8_t type = p->at < p->w->tape.num ? p->w->tape.item[p->at].type : 0;

    for (n = n > 0 ? n : 1; rest.len > 0 && !p->failed; rest = hb_span_skip(rest, n)) {
        play_record(p, type, hb_span_head(rest, n));
    }
    p->at++;
    p->changed = true; /* a CCS or an alert in pieces is none */
}

static void join(struct player *p)
{
    static uint8_t mem[32768];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    if (p->at + 1 < p->w->tape.num) {
        uint8_t type = p->w->tape.item[p->at].type;
        hb_bld_put(&b, next_bytes(p));
        p->at++;
        hb_bld_put(&b, next_bytes(p));
        p->at++;
        p->changed = true;
        play_record(p, type, hb_bld_span(&b));
    }
}

static void spoil(struct player *p, size_t off)
{
    static uint8_t wire[HB_TLS_RECORD_MAX];

    if (p->at < p->w->tape.num && !p->failed) {
        size_t len =
            play_seal(p, p->w->tape.item[p->at].type, hb_span_head(next_bytes(p), HB_REC_PLAIN_MAX), wire);
        wire[off % len] ^= (uint8_t)(1u << (off >> 13));
        p->at++;
        p->changed = true;
        play_wire(p, wire, len);
    }
}

static void foreign(struct player *p, uint8_t scenario, uint8_t number)
{
    const struct tape *tape = &tape_world(scenario, p->client)->tape;
    const struct tape_item *item = &tape->item[number % tape->num];

    p->changed = true;
    if (item->type == HB_REC_HANDSHAKE) {
        play_message(p, item->bytes);
    } else {
        play_record(p, item->type, item->bytes);
    }
}

static void raw_message(struct player *p, struct hb_cur *c)
{
    static uint8_t mem[4 + 65535];
    struct hb_bld b = hb_bld(mem, sizeof mem);
    uint8_t type = hb_cur_u8(c);
    struct hb_cur body = hb_cur_vec16(c);

    p->changed = true;
    hb_bld_u8(&b, type);
    hb_bld_u24(&b, (uint32_t)hb_cur_left(&body));
    hb_bld_put(&b, hb_cur_rest(&body));
    play_message(p, hb_bld_span(&b));
}

static void run(struct player *p, enum op op, struct hb_cur *c)
{
    bool more = p->at < p->w->tape.num;

    switch (op) {
    case OP_PLAY:
        if (more) {
            play_item(p, p->at++);
        }
        break;
    case OP_SKIP:
        p->changed = true;
        p->at += more;
        break;
    case OP_REPEAT:
        p->changed = true;
        if (more) {
            play_item(p, p->at);
        }
        break;
    case OP_ITEM:
        p->changed = true;
        play_item(p, hb_cur_u8(c) % p->w->tape.num);
        break;
    case OP_FOREIGN: {
        uint8_t scenario = hb_cur_u8(c);
        foreign(p, scenario, hb_cur_u8(c));
        break;
    }
    case OP_MESSAGE:
        raw_message(p, c);
        break;
    case OP_RECORD: {
        uint8_t type = hb_cur_u8(c);
        struct hb_cur content = hb_cur_vec16(c);
        p->changed = true;
        play_record(p, type, hb_cur_rest(&content));
        break;
    }
    case OP_WIRE: {
        struct hb_cur bytes = hb_cur_vec16(c);
        struct hb_span s = hb_cur_rest(&bytes);
        p->changed = true;
        play_wire(p, s.p, s.len);
        break;
    }
    case OP_PIECES:
        pieces(p, hb_cur_u8(c));
        break;
    case OP_JOIN:
        join(p);
        break;
    case OP_SPOIL:
        spoil(p, hb_cur_u16(c));
        break;
    case OP_OWN:
        p->changed = true; /* an end of our own, perhaps */
        play_own(p, hb_cur_u8(c));
        break;
    case OP_DATA:
        p->changed = true;
        play_record(p, HB_REC_DATA, hb_span_str("a2 LOGOUT\r\n"));
        break;
    case OP_SET:
    case OP_CUT:
    case OP_INSERT:
    case OP_DELETE:
    case OP_LENGTH:
    case NUM_OPS:
        edit(p, op, c);
        break;
    }
}

static void begin(struct player *p, uint8_t scenario, uint8_t flags, bool client)
{
    static const unsigned cuts[16] = {0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 64, 1000, 16000};

    play_begin(p, tape_world(scenario, client), client);
    p->fix = ~(unsigned)flags & (PLAY_FIX_FINISHED | PLAY_FIX_SIGNATURES | PLAY_FIX_BINDERS);
    p->reclaim = (flags & 8) != 0;
    p->cut = cuts[flags >> 4];
}

void play_body(struct hb_span input, bool client)
{
    static uint8_t mem[4 + 65536];
    struct hb_bld b = hb_bld(mem, sizeof mem);
    struct hb_cur c = hb_cur(input);
    struct player p;
    uint8_t scenario = hb_cur_u8(&c);
    uint8_t number = hb_cur_u8(&c);

    begin(&p, scenario, hb_cur_u8(&c), client);
    number = (uint8_t)(number % p.w->tape.num);
    while (p.at < number && !p.failed) {
        play_item(&p, p.at++);
    }
    struct hb_span old = next_bytes(&p);
    uint8_t type = p.w->tape.item[p.at].type;
    struct hb_span body = hb_span_head(hb_cur_rest(&c), 65536);
    if (type == HB_REC_HANDSHAKE) {
        hb_bld_u8(&b, old.p[0]);
        hb_bld_u24(&b, (uint32_t)body.len);
    }
    hb_bld_put(&b, body);
    p.changed = p.changed || !hb_span_eq(hb_bld_span(&b), old);
    p.at++;
    if (type == HB_REC_HANDSHAKE && !p.ready) {
        play_message(&p, hb_bld_span(&b));
    } else {
        play_record(&p, type, hb_bld_span(&b));
    }
    play_rest(&p);
    play_end(&p);
}

void play_ops(struct hb_span input, bool client)
{
    struct hb_cur c = hb_cur(input);
    struct player p;
    uint8_t scenario = hb_cur_u8(&c);

    begin(&p, scenario, hb_cur_u8(&c), client);
    while (hb_cur_left(&c) > 0 && !p.failed) {
        run(&p, (enum op)(hb_cur_u8(&c) % NUM_OPS), &c);
    }
    play_rest(&p);
    play_end(&p);
}
