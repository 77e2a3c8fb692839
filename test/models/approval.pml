/* The life of an approval, with everybody who can touch it at once: two people who decide, the
 * clock, two runners (a request and the tick), a role that is taken away, a server that answers
 * or does not, and a control plane that is killed between any two steps.
 *
 * MOVE(from, event, to) is one compare-and-set in one transaction: all of it or nothing. The
 * moves here are compared with kTable in src/approvals/state.h by check.py, one by one. */

mtype = { pending, approved, executing, completed, failed, denied, expired };

mtype state = pending;
bool late = false;      /* past its time */
bool demoted = false;   /* requester or approver may no longer */
bool up = true;         /* the control plane runs */
bool issued = false;    /* the order is durable: same transaction as redeem */
byte sent = 0;          /* how often it went over the wire (same id) */
byte ran = 0;           /* how often the helper ran it */
byte decisions = 0;     /* successful approve and deny */
bool was_approved = false;
bool was_denied = false;

#define MOVE(from, event, to) state == from -> state = to

/* The helper: an id it has seen is not run again. */
inline deliver() {
  if
  :: sent < 3 ->
     sent++;
     if
     :: ran == 0 -> ran++
     :: ran > 0 -> skip
     fi
  :: else -> skip
  fi
}

proctype Approver() {
  if
  :: atomic { up && !late && !demoted && MOVE(pending, approve, approved); decisions++; was_approved = true }
  :: atomic { state != pending -> skip }   /* refused: decided already */
  :: atomic { late || demoted -> skip }    /* refused: expired, or not allowed */
  fi
}

proctype Denier() {
  if
  :: atomic { up && !late && MOVE(pending, deny, denied); decisions++; was_denied = true }
  :: atomic { state != pending -> skip }
  :: atomic { late -> skip }
  fi
}

proctype Runner() {
  if
  :: atomic { up && !late && !demoted && MOVE(approved, redeem, executing); issued = true }
  :: atomic { up && demoted && MOVE(approved, block, failed) }
  :: atomic { late -> skip }
  :: atomic { (state == denied || state == expired || state == executing || state == completed || state == failed) -> skip }
  fi
}

/* Sends what is issued and unanswered; after a restart it does so again, with the same id. */
proctype Channel() {
  do
  :: atomic { up && issued && state == executing && sent < 3 -> deliver() }
  :: atomic { up && ran > 0 && MOVE(executing, succeed, completed) }
  :: atomic { up && late && MOVE(executing, fail, failed) }    /* no answer in time, or the server said no */
  :: atomic { (state == completed || state == failed || state == denied || state == expired) -> break }
  od
}

proctype Time() {
  atomic { late = true };
  do
  :: atomic { up && MOVE(pending, expire, expired) }
  :: atomic { up && MOVE(approved, expire, expired) }
  :: atomic { (state == executing || state == completed || state == failed || state == denied || state == expired) -> break }
  od
}

proctype Owner() { atomic { demoted = true } }   /* takes a role away, at any moment */

proctype Crash() {
  atomic { up = false };
  atomic { up = true }   /* what was durable stays, nothing else */
}

init {
  atomic {
    run Approver(); run Approver(); run Denier(); run Runner(); run Runner();
    run Channel(); run Time(); run Owner(); run Crash()
  }
}

/* Nothing runs without a yes, and nothing that was denied runs. */
ltl only_approved { [] ((ran > 0) -> (was_approved && !was_denied)) }
/* One decision, one run, however often it was sent. */
ltl once { [] (decisions <= 1 && ran <= 1) }
/* What has ended stays as it is. */
ltl final_denied { [] ((state == denied) -> [] (state == denied && ran == 0)) }
ltl final_expired { [] ((state == expired) -> [] (state == expired && ran == 0)) }
ltl final_completed { [] ((state == completed) -> [] (state == completed)) }
ltl final_failed { [] ((state == failed) -> [] (state == failed)) }
/* Everything ends (with weak fairness). */
ltl ends { <> (state == completed || state == failed || state == denied || state == expired) }

/* Refuted, or the claims above would hold of a model in which nothing happens. */
ltl never_completed { [] (state != completed) }
ltl never_denied { [] (state != denied) }
ltl never_blocked { [] !(state == failed && !issued) }
ltl never_sent_twice { [] (sent < 2) }
