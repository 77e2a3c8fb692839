/* A plan: three steps in an order, the second of them destructive, allowed one by one, several together, or (agent) as a whole;
 * a person who says no, the clock, two runners (a request and the tick), a server that answers, badly, or not at all, the one who
 * holds what is behind a surprise, and a control plane that is killed between any two of these (src/approvals/plan_gate.cpp,
 * redeem.cpp, src/runner/approval_runner.cpp). Each step is an approval as in approval.pml: one compare-and-set, one transaction.
 *
 * -D names a mutant: the model with one rule taken out. */

#ifdef NO_TURN          /* mutant NO_TURN breaks in_order: a step is redeemed whatever is before it */
#define TURN(i) true
#else
#ifdef RUNS_ON          /* mutant RUNS_ON breaks in_order: it is enough that the step before it was begun */
#define TURN(i) (i == 0 || st[i-1] == completed || st[i-1] == executing)
#else
#ifdef NO_SURPRISE      /* mutant NO_SURPRISE breaks no_further: that it completed is enough, however */
#define TURN(i) (i == 0 || st[i-1] == completed)
#else
#define TURN(i) (i == 0 || (WELL(0) && (i == 1 || WELL(1))))
#endif
#endif
#endif
#ifdef ALL_TOGETHER     /* mutant ALL_TOGETHER breaks alone: a yes for several is one for what is destructive */
#define TOGETHER(i) true
#else
#define TOGETHER(i) (i != DESTRUCTIVE)
#endif
#ifdef UNDECIDED_RUNS   /* mutant UNDECIDED_RUNS breaks only_approved: that the plan was allowed is enough for each step */
#define ALLOWED(i) (st[i] == approved || (st[i] == pending && yes[0]))
#else
#define ALLOWED(i) (st[i] == approved)
#endif
#ifdef SENT_ANEW        /* mutant SENT_ANEW breaks once: the helper runs what it has seen */
#define NEW(i) true
#else
#define NEW(i) (ran[i] == 0)
#endif
#ifdef NOBODY_HOLDS     /* mutant NOBODY_HOLDS breaks ends: what is behind a surprise stays as it is */
#define HOLDS false
#else
#define HOLDS true
#endif
#ifdef BY_STEP          /* mutant BY_STEP breaks whole: of a plan in agent mode one step is allowed by itself */
#define SINGLY(i) true
#else
#define SINGLY(i) (!agent || i == DESTRUCTIVE)
#endif

#define N 3
#define DESTRUCTIVE 1

mtype = { pending, approved, executing, completed, failed, denied, expired, held };

mtype st[N] = pending;
bool odd[N];           /* completed, and not as planned */
bool yes[N], single[N];
bool issued[N];
byte sent[N], ran[N];
bool agent;            /* it is allowed as a whole */
bool late, up = true;
bool not_in_order, too_far;  /* what must not be */

#define WELL(i) (st[i] == completed && !odd[i])
#define UNDONE(i) (st[i] == pending || st[i] == approved)
#define OVER(i) (!UNDONE(i) && st[i] != executing)
#define BAD(i) (OVER(i) && !WELL(i))
#define BAD_BEFORE(i) ((i > 0 && BAD(0)) || (i > 1 && BAD(1)))
#define CAN(i) (st[i] == pending && TOGETHER(i))

/* One word for one step. */
proctype Person(byte i) {
  if
  :: atomic { up && !late && st[i] == pending && !BAD_BEFORE(i) && SINGLY(i) -> st[i] = approved; yes[i] = true; single[i] = true }
  :: skip
  fi
}

/* One word for several, all of it or nothing: here for the first and the third, with the mutant for all. */
proctype Together() {
  if
  :: atomic { up && !late && CAN(0) && CAN(2) && !BAD_BEFORE(2) -> st[0] = approved; yes[0] = true; st[2] = approved; yes[2] = true;
      if
      :: CAN(1) -> st[1] = approved; yes[1] = true
      :: else -> skip
      fi }
  :: skip
  fi
}

proctype Denier(byte i) {
  if
  :: atomic { up && !late && st[i] == pending -> st[i] = denied }
  :: skip
  fi
}

/* To the whole: what waits is denied, what was allowed is held, what runs comes to its end. */
proctype Refuser() {
  byte i;
  if
  :: atomic { up -> i = 0;
      do
      :: i < N ->
         if
         :: st[i] == pending -> st[i] = denied
         :: st[i] == approved -> st[i] = held
         :: else -> skip
         fi;
         i++
      :: else -> break
      od; i = 0 }
  :: skip
  fi
}

#define MAY_RUN(i) (up && !late && ALLOWED(i) && TURN(i))
#define REDEEM(i) st[i] = executing; issued[i] = true; \
  not_in_order = not_in_order || (i > 0 && OVER(0) == false) || (i > 1 && OVER(1) == false); too_far = too_far || BAD_BEFORE(i)

proctype Runner() {
  do
  :: atomic { MAY_RUN(0) -> REDEEM(0) }
  :: atomic { MAY_RUN(1) -> REDEEM(1) }
  :: atomic { MAY_RUN(2) -> REDEEM(2) }
  :: atomic { up && st[0] == approved -> st[0] = failed }   /* a role, a setting or the server is not what it was: blocked */
  :: atomic { up && st[1] == approved && TURN(1) -> st[1] = failed }
  :: atomic { OVER(0) && OVER(1) && OVER(2) -> break }
  :: atomic { late -> break }
  od
}

/* What is issued and unanswered is sent, once more after a restart; its answer is good, odd, bad, or none in time. */
proctype Channel(byte i) {
  do
  :: atomic { up && issued[i] && st[i] == executing && sent[i] < 2 -> sent[i]++;
      if
      :: NEW(i) -> ran[i]++
      :: else -> skip
      fi }
  :: atomic { up && st[i] == executing && ran[i] > 0 -> st[i] = completed }
  :: atomic { up && st[i] == executing && ran[i] > 0 -> st[i] = completed; odd[i] = true }
  :: atomic { up && st[i] == executing && (late || ran[i] > 0) -> st[i] = failed }
  :: atomic { OVER(i) -> break }
  od
}

proctype Time() {
  atomic { late = true };
  do
  :: atomic { up && UNDONE(0) -> st[0] = expired }
  :: atomic { up && UNDONE(1) && !BAD_BEFORE(1) -> st[1] = expired }
  :: atomic { up && UNDONE(2) && !BAD_BEFORE(2) -> st[2] = expired }
  :: atomic { !UNDONE(0) && !UNDONE(1) && !UNDONE(2) -> break }
  od
}

/* Holds what is behind a surprise: at some later moment, in a transaction of its own; nobody relies on its being done. */
proctype Holder() {
  do
  :: atomic { up && HOLDS && UNDONE(1) && BAD_BEFORE(1) -> st[1] = held }
  :: atomic { up && HOLDS && UNDONE(2) && BAD_BEFORE(2) -> st[2] = held }
  :: atomic { OVER(0) && OVER(1) && OVER(2) -> break }
  od
}

proctype Crash() {
  atomic { up = false };
  atomic { up = true }   /* what was durable stays, nothing else */
}

init {
  atomic {
    if
    :: agent = true
    :: agent = false
    fi;
    run Person(0); run Person(1); run Together(); run Denier(1); run Refuser(); run Runner();
    run Channel(0); run Channel(1); run Channel(2); run Time(); run Holder(); run Crash()
  }
}

/* Nothing runs that no person allowed. */
ltl only_approved { [] ((ran[0] > 0 -> yes[0]) && (ran[1] > 0 -> yes[1]) && (ran[2] > 0 -> yes[2])) }
/* What is destructive runs by a yes of its own. */
ltl alone { [] (ran[DESTRUCTIVE] > 0 -> single[DESTRUCTIVE]) }
ltl whole { [] (agent -> !single[0]) }
/* One after the other, each once, and nothing behind a surprise. */
ltl in_order { [] !not_in_order }
ltl no_further { [] !too_far }
ltl once { [] (ran[0] <= 1 && ran[1] <= 1 && ran[2] <= 1) }
/* Everything ends (with weak fairness). */
ltl ends { <> (OVER(0) && OVER(1) && OVER(2)) }

/* Refuted, or the claims above would hold of a model in which nothing happens. */
ltl never_through { [] !(WELL(0) && WELL(1) && WELL(2)) }
ltl never_stopped { [] !(odd[0] && st[1] == held && st[2] == held) }
ltl never_denied { [] !(ran[0] > 0 && st[1] == denied && st[2] == held) }
ltl never_sent_twice { [] (sent[0] < 2) }
ltl never_whole { [] !(agent && WELL(2)) }
