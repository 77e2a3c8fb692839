/* A server that is let go (src/servers/departures.cpp): two people who disconnect and restore it at once, the day on which it
 * is forgotten, its agent that dials, an order on its way to it, and a control plane that is killed between any two steps.
 *
 * -D names a mutant; the claims beside it in the last lines have to fail then. */

mtype = { none, under_way, unsent_over, may_have_run };

/* durable */
bool row = true, leaves;
mtype order = none;
/* the world */
bool due;                   /* its day has come */
bool sent;                  /* the order went out */
/* memory; read again from what is durable after a kill */
bool m_here = true, m_leaves;
bool connected = true;
bool pending, p_sent;       /* the order, and whether it is being sent */
/* what must not be, and what may */
bool too_early, forgotten, restored, back;
byte crashes, through;

#define PEOPLE 2

/* In the inventory's lock; then whoever is connected goes, and what is under way ends. */
#ifdef REMEMBERS_ITS_OWN
#define AS_IT_IS(own) m_leaves = own
#else
#define AS_IT_IS(own) m_leaves = leaves
#endif
inline settle(own) {
  bool out;
  atomic { if :: m_here -> AS_IT_IS(own) :: else fi; out = m_here && m_leaves };
  if
  :: out ->
     connected = false;
     atomic {
       if
#ifdef SAYS_NOTHING_RAN
       :: pending -> order = unsent_over; pending = false
#else
       :: pending && p_sent -> order = may_have_run; pending = false
       :: pending && !p_sent -> order = unsent_over; pending = false
#endif
       :: else
       fi
     }
  :: else
  fi
}

/* One who disconnects, one who restores: in any order, each perhaps after the other. */
proctype Disconnects() {
  bool done;
  atomic { if :: row && !leaves -> leaves = true; due = false; done = true :: else fi };
  if :: done -> settle(true) :: else fi;
  through++
}
proctype Restores() {
  bool done;
  atomic { if :: row && leaves -> leaves = false; restored = true; done = true :: else fi };
  if :: done -> settle(false) :: else fi;
  through++
}

proctype Time() { atomic { leaves -> due = true } }

/* The tick: who is due by memory, then the transaction that looks again. */
proctype Forgets() {
  end:
  m_here && m_leaves && due;
  atomic {
    if
#ifdef LOOKS_ONCE
    :: row ->
#else
    :: row && leaves && due ->
#endif
       if :: !leaves || !due -> too_early = true :: else fi;
       row = false; forgotten = true
    :: else -> goto end
    fi
  };
  m_here = false
}

/* Let in by a look at memory; a moment later it is one of the connected, and is looked at once more. */
proctype Agent() {
  end:
  atomic { !connected && m_here && !m_leaves };
  connected = true;
  atomic { if :: !m_here || m_leaves -> connected = false :: else -> if :: restored -> back = true :: else fi fi };
  goto end
}

/* Written with its entry, marked as being sent, looked at once more, sent over the connection of that moment. */
proctype Order() {
  atomic { m_here && !m_leaves && connected -> order = under_way; pending = true };
  atomic { if :: pending -> p_sent = true :: else -> goto over fi };
  if
  :: atomic { m_here && !m_leaves && connected -> sent = true }
  :: atomic { !m_here || m_leaves || !connected -> skip }
  fi;
  over: skip
}

/* kill -9, and a start. An order that was under way may have been sent. */
proctype Killed() {
  if
  :: atomic { m_here = row; m_leaves = leaves; connected = false; pending = false; p_sent = false;
              if :: order == under_way -> order = may_have_run :: else fi; crashes++ }
  :: skip
  fi
}

init { atomic { run Disconnects(); run Restores(); run Time(); run Forgets(); run Agent(); run Order(); run Killed() } }

/* It is forgotten on its day alone, and not when it was restored meanwhile. */
ltl only_due { [] !too_early }
/* Nobody is told that nothing was run of an order that went out. */
ltl honest { [] !(order == unsent_over && sent) }
/* When both are through, memory says what the row says. */
ltl agree { [] ((through == PEOPLE && row) -> (m_leaves == leaves)) }
/* Somebody who is out stays out: whoever slipped in is thrown out again. */
ltl out_in_the_end { [] ((through == PEOPLE && row && leaves) -> <> (!connected || !leaves || !row)) }
/* And good things happen. */
ltl never_forgotten { [] !forgotten }
ltl never_back { [] !back }

/* mutant LOOKS_ONCE breaks only_due
 * mutant SAYS_NOTHING_RAN breaks honest
 * mutant REMEMBERS_ITS_OWN breaks agree */
