/* keeper.h: the process that holds every private key.
 *
 * Its peers are the supervisor, which brings keys, and the workers, which have
 * what they need signed or decrypted: nobody from the network.  A worker that was
 * taken over can have things signed while it lives, GW_KEEPER_RATE times a second
 * at most, and gets no key to take away. */
#ifndef GW_KEEPER_H
#define GW_KEEPER_H

/* Operations a second for one worker, over a second's length. */
#define GW_KEEPER_RATE 5000u
/* Requests of one worker that are under way at a time: both directions of a socket hold them and their
 * answers. */
#define GW_KEEPER_PENDING 64u
/* The process, from its first message on. Returns its exit code. */
int gw_keeper_run(int supervisor);

#endif
