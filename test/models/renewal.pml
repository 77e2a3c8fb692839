/* A server's key takes the place of the one before (src/servers/server_keys.cpp, src/agent/identity.cpp): the control plane asks, the
 * root half makes a key and speaks for it, the control plane registers it and issues its certificate, the root half keeps that, the
 * network half connects with it. Messages are lost and repeated, both sides are killed between any two steps, whoever has a copy of
 * the old key dials with it, and the network half may be taken over: it answers with a key of somebody else's.
 *
 * -D names a mutant; the claims beside it in the last lines have to fail then. */

mtype = { k1, k2, theirs, none };

/* durable: the control plane's row, and the root half's file */
mtype key = k1, fresh = none;
bool revoked;
mtype pair = k1, waits = none;
/* memory and messages: gone with whoever is killed */
mtype held = k1;                /* what the network half connects with */
bool asked;
mtype offered = none; bool vouched;
mtype issued = none;
/* what must not be, and what may */
bool retired, old_let_in, revoked_let_in, rotated, used;
byte kills;

#define MOST_KILLS 3
#ifdef LETS_REVOKED_IN
#define COUNTS(k) (k == key || (fresh != none && k == fresh))
#else
#define COUNTS(k) (!revoked && (k == key || (fresh != none && k == fresh)))
#endif

proctype ControlPlane() {
  mtype was;
  end:
  do
  :: atomic { !asked && !revoked && key == k1 -> asked = true }
  :: atomic { offered != none && asked ->
       was = offered; offered = none; asked = false;
#ifdef TAKES_ANY_KEY
       if :: skip ->
#else
       if :: vouched ->
#endif
#ifdef ISSUES_FIRST
          issued = was
       :: else -> was = none fi };
     atomic { if :: was != none && !revoked && key == k1 -> fresh = was :: else fi; was = none }
#else
          if :: !revoked && key == k1 -> fresh = was :: else -> was = none fi
       :: else -> was = none fi };
#ifdef RETIRES_AT_ISSUE
     atomic { if :: was != none -> key = was; fresh = none; retired = true :: else fi };
#endif
     atomic { if :: was != none -> issued = was :: else fi; was = none }
#endif
  /* A connection: with the new key for the first time, the old one is retired. */
  :: atomic { COUNTS(held) && held == fresh ->
#ifndef KEEPS_THE_OLD
       key = fresh; fresh = none;
#endif
       retired = true; rotated = true }
  :: atomic { COUNTS(held) -> used = true }
  :: atomic { kills < MOST_KILLS -> kills++; asked = false; offered = none; issued = none; was = none }
  od
}

proctype RootHalf() {
  end:
  do
  :: atomic { asked && offered == none ->
       if :: waits == none -> waits = k2 :: else fi;
#ifdef REPLACES_AT_ONCE
       pair = k2;
#endif
     };
     atomic { if :: waits != none -> offered = waits; vouched = true :: else fi }
  :: atomic { issued == k2 -> pair = k2; waits = none; issued = none };
     held = pair
  :: atomic { kills < MOST_KILLS -> kills++; held = pair; offered = none; issued = none }
  od
}

proctype TakenOver() {
  end:
  do
  :: atomic { asked && offered == none -> offered = theirs; vouched = false }
  od
}

proctype OldKey() {
  end:
  do
  :: atomic { retired && (COUNTS(k1)) -> old_let_in = true }
  :: atomic { revoked && (key == pair || fresh == pair) && COUNTS(pair) -> revoked_let_in = true }
  od
}

proctype Owner() {
  if
  :: atomic { revoked = true; fresh = none }
  :: skip
  fi
}

init { atomic { run ControlPlane(); run RootHalf(); run TakenOver(); run OldKey(); run Owner() } }

/* Whatever is killed when: what lies on the server's disk is let in, unless it was revoked. */
ltl one_works { [] (revoked || COUNTS(pair)) }
/* A key that was retired is let in no more, nor is one that was revoked. */
ltl retired_is_over { [] !old_let_in }
ltl revoked_is_over { [] !revoked_let_in }
/* A taken-over network half has nobody else's key registered. */
ltl nobody_elses { [] (key != theirs && fresh != theirs) }

/* Refuted, or the claims above would hold of a model in which nothing happens. */
ltl never_rotated { [] !rotated }
ltl never_retired { [] !retired }
ltl never_used { [] !used }
ltl never_both { [] !(fresh == k2 && pair == k1) }
ltl never_revoked { [] !(revoked && rotated) }

/* mutant TAKES_ANY_KEY breaks nobody_elses
 * mutant TAKES_ANY_KEY breaks one_works
 * mutant ISSUES_FIRST breaks one_works
 * mutant RETIRES_AT_ISSUE breaks one_works
 * mutant REPLACES_AT_ONCE breaks one_works
 * mutant KEEPS_THE_OLD breaks retired_is_over
 * mutant LETS_REVOKED_IN breaks revoked_is_over */
