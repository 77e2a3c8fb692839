/* Orders on their way: at most once, and no lie about what came of them. Two orders, the control plane
 * (src/servers/order_service.cpp, order_time.cpp), a network on which anything that was ever sent may come once
 * more, later, in another order, or never, and a helper (src/agent/helper.cpp, order_book.cpp) that handles one
 * after the other. Either side is killed between any two steps; what is durable stays, nothing else.
 *
 * -D names a mutant: the model with one rule taken out. The claims beside each in the last lines have to fail then. */

#define N 2
#define CRASHES 2

mtype = { none, pending, succeeded, failed, expired };
mtype = { absent, begun, kept };

/* durable at the control plane */
mtype op[N] = none;         /* pending: operation and log entry, one transaction */
bool nothing_ran[N];        /* what it said of an order that it gave up */
/* in its memory */
bool sent[N];               /* marked before it is sent */
bool recovered;             /* it was killed: what it may have sent it does not know */
/* on the network */
bool wire[N];               /* was sent at least once: may arrive at any time, again and again */
bool said_ok[N], said_no[N];  /* answers that may arrive, likewise */
/* durable on the server */
mtype book[N] = absent;
bool ok[N];                 /* of a result that is kept */
/* the world */
byte ran[N];
bool late, helper_late;     /* past the orders' time, by either clock; the helper's may be wrong */
byte cp_crashes, helper_crashes;

#define ENDED(i) (op[i] == succeeded || op[i] == failed || op[i] == expired)

inline issue(i) {
  atomic { op[i] == none && !late ->
#ifdef SENT_FIRST
    wire[i] = true }
#else
    op[i] = pending }
#endif
}

inline transmit(i) {
  atomic { op[i] == pending && !sent[i] && !late -> sent[i] = true };
  if
  :: wire[i] = true       /* over the channel */
  :: atomic { sent[i] = false }  /* there is none: the next tick tries again */
  :: skip                 /* killed in between: see crash() */
  fi
}

inline finish(i) {
  atomic {
    if
    :: said_ok[i] && op[i] == pending -> op[i] = succeeded
    :: said_no[i] && op[i] == pending -> op[i] = failed
    fi
  }
}

inline give_up(i) {
  atomic { late && op[i] == pending ->
    op[i] = expired;
#ifdef FORGETS_WHAT_IT_SENT
    nothing_ran[i] = !sent[i]
#else
    nothing_ran[i] = (!sent[i] && !recovered)
#endif
  }
}

inline cp_crash() {
  atomic { cp_crashes < CRASHES -> cp_crashes++; sent[0] = false; sent[1] = false; recovered = true }
}

active proctype ControlPlane() {
  do
  :: issue(0)
  :: issue(1)
  :: transmit(0)
  :: transmit(1)
  :: finish(0)
  :: finish(1)
  :: give_up(0)
  :: give_up(1)
  :: cp_crash()
  :: atomic { ENDED(0) && ENDED(1) -> break }
  od
}

inline say(i) {
  if
  :: ok[i] -> said_ok[i] = true
  :: else -> said_no[i] = true
  fi
}

#define MAY_DIE if :: skip :: atomic { helper_crashes < CRASHES -> helper_crashes++; goto again } fi

active proctype Helper() {
  byte i;
again:
  do
  :: atomic { wire[0] -> i = 0 }; goto handle
  :: atomic { wire[1] -> i = 1 }; goto handle
  :: atomic { ENDED(0) && ENDED(1) && ran[0] + ran[1] == 0 -> goto over }
  :: atomic { ENDED(0) && ENDED(1) && book[0] != begun && book[1] != begun -> goto over }
  od;
handle:
  if
  :: atomic { book[i] == kept -> say(i) }                         /* a copy: nothing runs */
#ifdef RUNS_WHAT_IT_BEGAN
  :: atomic { book[i] == begun -> skip }; goto run_it
#else
  :: atomic { book[i] == begun -> said_no[i] = true }             /* what came of it is not known */
#endif
  :: atomic { book[i] == absent && helper_late -> said_no[i] = true }  /* expired */
  :: atomic { book[i] == absent && !helper_late -> skip };
#ifndef BEGINS_LATER
     book[i] = begun;                                             /* file and folder are synced */
     MAY_DIE;
#endif
run_it:
     ran[i]++;
     MAY_DIE;
#ifdef BEGINS_LATER
     book[i] = begun;
#endif
     if :: ok[i] = true :: skip fi;
     book[i] = kept;
     MAY_DIE;
     say(i)
  fi;
  goto again;
over: skip
}

active proctype Time() { if :: late = true; helper_late = true :: helper_late = true; late = true fi }

/* However often it was sent, at most once. */
ltl once { [] (ran[0] <= 1 && ran[1] <= 1) }
/* What runs is in the log. */
ltl logged_first { [] ((ran[0] > 0 -> op[0] != none) && (ran[1] > 0 -> op[1] != none)) }
/* "It worked" is true, and so is "nothing was run", for ever. */
ltl success_is_true { [] (op[0] == succeeded -> ran[0] == 1) }
ltl nothing_is_true { [] (nothing_ran[0] -> [] (ran[0] == 0)) }
/* What has ended stays as it is. */
ltl final_succeeded { [] (op[0] == succeeded -> [] (op[0] == succeeded)) }
ltl final_failed { [] (op[0] == failed -> [] (op[0] == failed)) }
ltl final_expired { [] (op[0] == expired -> [] (op[0] == expired)) }
/* Everything that was issued ends (with weak fairness). */
ltl ends { [] (op[0] == pending -> <> ENDED(0)) }

/* Refuted, or the claims above would hold of a model in which nothing happens. */
ltl never_succeeded { [] (op[0] != succeeded) }
ltl never_unknown { [] !(ran[0] == 1 && op[0] == failed) }
ltl never_late_answer { [] !(op[0] == expired && said_ok[0]) }
ltl never_nothing_ran { [] !nothing_ran[0] }

/* mutant RUNS_WHAT_IT_BEGAN breaks once
 * mutant BEGINS_LATER breaks once
 * mutant SENT_FIRST breaks logged_first
 * mutant FORGETS_WHAT_IT_SENT breaks nothing_is_true */
