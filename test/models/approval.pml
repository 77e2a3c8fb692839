/* The life of an approval, with everybody who can touch it at once: three people who decide, one of them twice and one of
 * them who asked for it, the AI that tries to, an organisation that asks for two people or withdraws that, the clock, two
 * runners (a request and the tick), roles that are taken away, a server that answers or does not, and a control plane that
 * is killed between any two steps. It may be a step of a plan behind one that does not go as planned, which shows at any moment
 * (plan.pml has the steps together).
 *
 * MOVE(from, event, to) is one compare-and-set in one transaction: all of it or nothing. The
 * moves here are compared with kTable in src/approvals/state.h by check.py, one by one. */

#ifdef SAME_TWICE    /* mutant SAME_TWICE breaks two_people: the first says it again */
#define ANOTHER true
#else
#define ANOTHER (first != me)
#endif
#ifdef ASKER_SECOND  /* mutant ASKER_SECOND breaks two_people: who asked gives the second yes */
#define NOT_ASKER true
#else
#define NOT_ASKER (me != ASKER)
#endif
#ifdef WITHDRAWN     /* mutant WITHDRAWN breaks stays: the setting that is withdrawn lets a card off */
#define TWO asked
#else
#define TWO (asked || needs_two)
#endif
#ifdef STALE_FIRST   /* mutant STALE_FIRST breaks first_may: a first yes of somebody who may no more counts */
#define FIRST_MAY true
#else
#define FIRST_MAY may[first]
#endif
#ifdef AI_DECIDES    /* mutant AI_DECIDES breaks no_ai: nobody asks whether it is a person */
#define PERSON true
#else
#define PERSON human
#endif
#ifdef NOT_AGAIN     /* mutant NOT_AGAIN breaks as_asked: what is asked for since is not looked at when it runs */
#define ENOUGH true
#else
#define ENOUGH (!TWO || second != NOBODY)
#endif

#ifdef OUT_OF_TURN   /* mutant OUT_OF_TURN breaks in_turn: it is redeemed whatever is before it */
#define TURN true
#else
#define TURN turn
#endif

#define NOBODY 0
#define ASKER 1

mtype = { pending, half_approved, approved, executing, completed, failed, denied, expired, held };

mtype state = pending;
bool asked = false;      /* the organisation asks for two people, by now */
bool needs_two = false;  /* the card does: once asked for, it stays so */
byte first = NOBODY, second = NOBODY;  /* whose yes; of one that is enough, first */
bool may[4] = true;      /* whose role lets them; 0 is nobody */
bool by_ai = false, by_lapsed = false, by_one = false;  /* what must not be */
bool late = false;       /* past its time */
bool up = true;          /* the control plane runs */
bool turn = false;       /* it is no step of a plan, or all before it completed as planned */
bool stopped = false;    /* one before it did not */
bool issued = false;     /* the order is durable: same transaction as redeem */
byte sent = 0;           /* how often it went over the wire (same id) */
byte ran = 0;            /* how often the helper ran it */
byte decisions = 0;      /* that made an end of the question */
bool was_denied = false;

#define ENDED (state == completed || state == failed || state == denied || state == expired || state == held)
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

/* A yes. What it makes of the card is looked at in the transaction that changes it. */
proctype Approver(byte me; bool human) {
  if
  :: atomic { up && !late && !stopped && may[me] && PERSON && !TWO && MOVE(pending, approve, approved); first = me; decisions++; by_ai = by_ai || !human }
  :: atomic { up && !late && !stopped && may[me] && PERSON && TWO && MOVE(pending, approve_first, half_approved); needs_two = true; first = me; by_ai = by_ai || !human }
  :: atomic { up && !late && !stopped && may[me] && PERSON && ANOTHER && FIRST_MAY && NOT_ASKER && MOVE(half_approved, approve, approved);
              second = me; decisions++; by_ai = by_ai || !human; by_lapsed = by_lapsed || !may[first] }
  :: atomic { up && !late && !stopped && may[me] && PERSON && ANOTHER && !FIRST_MAY && MOVE(half_approved, lapse, pending);
              MOVE(pending, approve_first, half_approved); first = me; by_ai = by_ai || !human }
  :: skip   /* refused, or never said */
  fi
}

proctype Denier() {
  if
  :: atomic { up && !late && MOVE(pending, deny, denied); decisions++; was_denied = true }
  :: atomic { up && !late && MOVE(half_approved, deny, denied); decisions++; was_denied = true }
  :: skip
  fi
}

proctype Setting() {
  atomic { up -> asked = true };
  if
  :: atomic { up -> asked = false }
  :: skip
  fi
}

#define MAY (may[ASKER] && may[first] && may[second])

proctype Runner() {
  if
  :: atomic { up && !late && TURN && MAY && ENOUGH && MOVE(approved, redeem, executing); issued = true;
              by_one = by_one || (asked && second == NOBODY) }
  :: atomic { up && !(MAY && ENOUGH) && MOVE(approved, block, failed) }
  :: atomic { late -> skip }
  :: atomic { (state == executing || ENDED) -> skip }
  fi
}

/* Sends what is issued and unanswered; after a restart it does so again, with the same id. */
proctype Channel() {
  do
  :: atomic { up && issued && state == executing && sent < 3 -> deliver() }
  :: atomic { up && ran > 0 && MOVE(executing, succeed, completed) }
  :: atomic { up && late && MOVE(executing, fail, failed) }    /* no answer in time, or the server said no */
  :: atomic { ENDED -> break }
  od
}

proctype Time() {
  atomic { late = true };
  do
  :: atomic { up && MOVE(pending, expire, expired) }
  :: atomic { up && MOVE(half_approved, expire, expired) }
  :: atomic { up && MOVE(approved, expire, expired) }
  :: atomic { (state == executing || ENDED) -> break }
  od
}

/* What is before it in its plan. Where that goes wrong, it is held wherever it stands, but for what runs already. */
proctype Before() {
  atomic { up -> stopped = true };
  do
  :: atomic { up && MOVE(pending, hold, held) }
  :: atomic { up && MOVE(half_approved, hold, held) }
  :: atomic { up && MOVE(approved, hold, held) }
  :: atomic { (state == executing || ENDED) -> break }
  od
}

/* Takes a role away, at any moment: a first yes of that person ends with it, in the same transaction (or is found to be
 * worth nothing by the next who says yes). */
proctype Owner(byte whom) {
  atomic { up -> may[whom] = false;
    if
    :: first == whom && MOVE(half_approved, lapse, pending); first = NOBODY
    :: else -> skip
    :: first == whom && state == half_approved -> skip
    fi }
}

proctype Crash() {
  atomic { up = false };
  atomic { up = true }   /* what was durable stays, nothing else */
}

init {
  atomic {
    run Approver(ASKER, true); run Approver(2, true); run Approver(2, true); run Approver(3, true); run Approver(ASKER, false);
    run Denier(); run Setting(); run Runner(); run Runner(); run Channel(); run Time(); run Owner(2); run Crash();
    if
    :: turn = true
    :: run Before()
    fi
  }
}

/* Nothing runs without a yes, and nothing that was denied runs. */
ltl only_approved { [] ((ran > 0) -> (first != NOBODY && !was_denied)) }
/* What needs two runs with two: of two people, the second of whom did not ask for it. */
ltl two_people { [] ((ran > 0 && needs_two) -> (first != NOBODY && second != NOBODY && first != second && second != ASKER)) }
ltl stays { [] ((state == approved && needs_two) -> second != NOBODY) }
ltl as_asked { [] !by_one }
ltl first_may { [] !by_lapsed }
ltl no_ai { [] !by_ai }
/* A step runs behind what went as planned, and behind nothing else. */
ltl in_turn { [] ((ran > 0) -> (turn && !stopped)) }
/* One decision, one run, however often it was sent. */
ltl once { [] (decisions <= 1 && ran <= 1) }
/* What has ended stays as it is. */
ltl final_denied { [] ((state == denied) -> [] (state == denied && ran == 0)) }
ltl final_expired { [] ((state == expired) -> [] (state == expired && ran == 0)) }
ltl final_completed { [] ((state == completed) -> [] (state == completed)) }
ltl final_held { [] ((state == held) -> [] (state == held && ran == 0)) }
ltl final_failed { [] ((state == failed) -> [] (state == failed)) }
/* Everything ends (with weak fairness). */
ltl ends { <> ENDED }

/* Refuted, or the claims above would hold of a model in which nothing happens. */
ltl never_completed { [] (state != completed) }
ltl never_held { [] (state != held) }
ltl never_denied { [] (state != denied) }
ltl never_blocked { [] !(state == failed && !issued) }
ltl never_sent_twice { [] (sent < 2) }
ltl never_two { [] !(state == completed && second != NOBODY) }
ltl never_lapsed { [] !(ran > 0 && first == 3 && !may[2]) }
