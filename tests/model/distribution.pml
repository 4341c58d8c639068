/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A change on its way: store, Control Panel, stream, node, and what befalls
 * them. docs/protocol.md says the rules in words; here each of them stands
 * behind RULE(), so that tests/model/test_spin.py can take one out and see
 * that the properties need it.
 *
 * A tenant has two members; a value stands for a whole record. A change gives
 * one of them a value never seen before, so a list and its digest are the two
 * values. One node: nothing goes from node to node.
 *
 * What is proved, for every order of EVENTS events:
 *   no lost update, no stale peer: when all is quiet the node has the store's list
 *   bounded queue: never more than CAP events wait, and the chunks of one snapshot
 *   an older list is never applied in an epoch, nor one of an older epoch
 *   a position names one list: no two are published under one epoch and generation, and what a
 *   node has at a position is what was published there
 */
#define CAP 2           /* events that may wait on a stream */
#define ROOM (CAP + 3)  /* and what a stream begins with; one more shows an overflow */
#define KEEP 255        /* the record did not change */
#define JUNK 254        /* a record that nobody published */
#define EPOCHS 12
#define GENERATIONS 12

/* Numbers of rules as test_spin.py has them. */
#define OVERFLOW_ENDS 1    /* a full queue ends the stream */
#define OVERFLOW_BOUND 2   /* a full queue takes no more */
#define JOIN_FIRST 3       /* a stream is in the room before its snapshot is read */
#define RESUME_EPOCH 4     /* nothing resumes from another epoch */
#define PROOF 5            /* a hello that is provably ahead begins an epoch */
#define IDENTITY 6         /* another store begins an epoch */
#define EPOCH_ABOVE 7      /* a new epoch is above all that ever was, not above the store's alone */
#define EPOCH_FITS 8       /* the node builds on changes of its epoch only */
#define NO_GAP 9          /* nor on one that begins after what it has */
#define NOT_OLDER 10       /* a change that leads nowhere new is ignored */
#define HIGH_WATER 11      /* a snapshot behind what was applied is refused */
#define CHUNKS_FIT 12      /* chunks of one snapshot are of one position */
#define ONE_FILE 13        /* list and position are written as one */
#define DIGEST_NODE 14     /* the node compares its list with the head's digest */
#define DIGEST_CP 15       /* the Control Panel compares the digest that is reported */
#define BEHIND 16          /* a node that is told of another position and hears nothing asks for all */
#define HELLO_HEAD 17      /* the head is shown even when all is asked for */

int without; /* one bit for each rule that is taken out */
#define RULE(n) (((without >> n) & 1) == 0)

/* What may happen beside changes, cuts and restarts. */
bool may_spoil;    /* a record of the node's rots */
bool may_roll;     /* the store goes back and does not know it: a machine's snapshot */
bool may_drop;     /* an event is lost on a stream that stays */
bool may_replay;   /* somebody sends again what was once signed */
byte events_left;

mtype = { delta, chunk0, chunk1 };

/* what, epoch, from, to, values, digest: both values as they are at that position */
chan stream = [ROOM] of { mtype, byte, byte, byte, byte, byte, byte, byte };

/* The store; at[i]: generation of the record. */
byte s_epoch = 1, s_gen = 1, s_v0 = 1, s_v1 = 2, s_at0 = 1, s_at1 = 1;
/* A backup, if one was made. */
bool has_backup;
byte b_epoch, b_gen, b_v0, b_v1, b_at0, b_at1;
/* The hub. */
bool up, joining;
byte published = 1, waiting;
/* The node: applied, on disk, and the half of a snapshot. */
bool n_up, n_all;
byte n_epoch, n_gen, n_v0, n_v1;
byte d_epoch, d_gen, d_v0, d_v1;
bool x_on;
byte x_epoch, x_to, x_v0;
byte tries;
/* Ghosts: no part of the protocol. */
byte fresh = 3, top_epoch = 1;
bool rolled, beat;
byte r_epoch, r_from, r_to, r_v0, r_v1, r_d0, r_d1, r_kind; /* once sent: 1 a change, 2 a snapshot */
byte named0[144], named1[144];

#define POSITION(epoch, gen) (epoch * GENERATIONS + gen)
#define AT POSITION(s_epoch, s_gen)

inline name_position() {
	assert(s_epoch < EPOCHS && s_gen < GENERATIONS);
	if
	:: !rolled ->
		assert(named0[AT] == 0 || (named0[AT] == s_v0 && named1[AT] == s_v1));
		named0[AT] = s_v0;
		named1[AT] = s_v1
	:: else
	fi
}

inline flush() {
	do
	:: nempty(stream) -> stream?_,_,_,_,_,_,_,_
	:: empty(stream) -> break
	od;
	waiting = 0
}

inline end_stream() {
	up = false;
	joining = false
}

/* The clock only moves on: a new epoch is above all there ever were. */
inline new_epoch(proven) {
	if
	:: RULE(EPOCH_ABOVE) ->
		s_epoch = (top_epoch > proven -> top_epoch : proven) + 1
	:: else -> s_epoch = s_epoch + 1
	fi;
	if
	:: s_epoch > top_epoch -> top_epoch = s_epoch
	:: else
	fi;
	s_gen++
}

inline send_delta(from) {
	name_position();
	stream!delta, s_epoch, from, s_gen, (s_at0 > from -> s_v0 : KEEP), (s_at1 > from -> s_v1 : KEEP),
		s_v0, s_v1;
	if
	:: may_replay && r_kind == 0 ->
		r_kind = 1; r_epoch = s_epoch; r_from = from; r_to = s_gen;
		r_v0 = (s_at0 > from -> s_v0 : KEEP); r_v1 = (s_at1 > from -> s_v1 : KEEP);
		r_d0 = s_v0; r_d1 = s_v1
	:: true
	fi
}

inline send_snapshot() {
	name_position();
	stream!chunk0, s_epoch, 0, s_gen, s_v0, KEEP, s_v0, s_v1;
	stream!chunk1, s_epoch, 0, s_gen, KEEP, s_v1, s_v0, s_v1;
	if
	:: may_replay && r_kind == 0 ->
		r_kind = 2; r_epoch = s_epoch; r_from = 0; r_to = s_gen;
		r_v0 = s_v0; r_v1 = s_v1; r_d0 = s_v0; r_d1 = s_v1
	:: true
	fi
}

/* What is committed goes out: one event from what was published last. */
inline publish() {
	if
	:: up && waiting >= CAP && RULE(OVERFLOW_BOUND) ->
		if
		:: RULE(OVERFLOW_ENDS) -> end_stream()
		:: else /* the event is gone, the stream goes on */
		fi
	:: up && (waiting < CAP || !RULE(OVERFLOW_BOUND)) ->
		assert(waiting < CAP);
		send_delta(published);
		waiting++
	:: !up
	fi;
	published = s_gen
}

inline greet(epoch, gen, all) {
	if
	:: !all && gen > 0 && gen <= s_gen && (epoch == s_epoch || !RULE(RESUME_EPOCH)) ->
		if
		:: gen < s_gen -> send_delta(gen)
		:: else
		fi
	:: else -> send_snapshot()
	fi
}

inline hello() {
	d_step {
		flush();
		x_on = false;
		tries++;
		n_up = true
	};
	atomic {
		if
		:: RULE(PROOF) && (RULE(HELLO_HEAD) || !n_all) &&
		   (n_epoch > s_epoch || (n_epoch == s_epoch && n_gen > s_gen)) -> new_epoch(n_epoch)
		:: else
		fi;
		up = true;
		if
		:: RULE(JOIN_FIRST) -> published = s_gen; greet(n_epoch, n_gen, n_all)
		:: else -> up = false; greet(n_epoch, n_gen, n_all); joining = true
		fi;
		n_all = false
	}
}

proctype panel() {
end:	do
	:: atomic { s_gen != published -> publish() }
	:: atomic { joining -> joining = false; up = true; published = s_gen }
	od
}

inline ask_all() {
	n_all = true;
	n_up = false;
	end_stream()
}

inline applied(epoch, to, v0, v1) {
	assert(epoch > n_epoch || (epoch == n_epoch && to >= n_gen));
	assert(rolled || may_spoil ||
	       (named0[POSITION(epoch, to)] == v0 && named1[POSITION(epoch, to)] == v1));
	n_epoch = epoch;
	n_gen = to;
	n_v0 = v0;
	n_v1 = v1
}

inline take_delta(epoch, from, to, v0, v1, g0, g1) {
	if
	:: (epoch != n_epoch && RULE(EPOCH_FITS)) || (from > n_gen && RULE(NO_GAP)) -> ask_all()
	:: else ->
		if
		:: to <= n_gen && epoch == n_epoch && RULE(NOT_OLDER)
		:: else ->
			n_v0 = (v0 == KEEP -> n_v0 : v0);
			n_v1 = (v1 == KEEP -> n_v1 : v1);
			if
			:: RULE(DIGEST_NODE) && (n_v0 != g0 || n_v1 != g1) -> ask_all()
			:: else ->
				applied(epoch, to, n_v0, n_v1)
			fi
		fi
	fi
}

inline take_chunk0(epoch, to, v0) {
	x_on = true;
	x_epoch = epoch;
	x_to = to;
	x_v0 = v0
}

inline take_chunk1(epoch, to, v1, g0, g1) {
	if
	:: !x_on || (RULE(CHUNKS_FIT) && (x_epoch != epoch || x_to != to)) -> ask_all()
	:: else ->
		if
		:: RULE(HIGH_WATER) && (epoch < n_epoch || (epoch == n_epoch && to < n_gen)) -> ask_all()
		:: else ->
			if
			:: RULE(DIGEST_NODE) && (x_v0 != g0 || v1 != g1) -> ask_all()
			:: else ->
				applied(epoch, to, x_v0, v1)
			fi
		fi
	fi;
	x_on = false
}

inline take_event() {
	if
	:: stream?delta, e, f, t, v0, v1, g0, g1 ->
		waiting = (waiting > 0 -> waiting - 1 : 0);
		take_delta(e, f, t, v0, v1, g0, g1)
	:: stream?chunk0, e, f, t, v0, v1, g0, g1 -> take_chunk0(e, t, v0)
	:: stream?chunk1, e, f, t, v0, v1, g0, g1 -> take_chunk1(e, t, v1, g0, g1)
	fi
}

/* The answer to a report tells how far the store is; the report, what the node has. */
inline report() {
	beat = false;
	if
	:: RULE(DIGEST_CP) && n_epoch == s_epoch && n_gen == s_gen && (n_v0 != s_v0 || n_v1 != s_v1) ->
		ask_all()
	:: RULE(BEHIND) && (s_gen != n_gen || s_epoch != n_epoch) -> ask_all()
	:: else
	fi
}

#define ON_DISK (d_epoch == n_epoch && d_gen == n_gen && d_v0 == n_v0 && d_v1 == n_v1)

proctype node() {
	byte e, f, t, v0, v1, g0, g1;

end:	do
	:: atomic { !n_up && tries < 14 -> hello() }
	:: atomic { n_up && nempty(stream) -> take_event() }
	:: atomic { n_up && !up && !joining -> n_up = false }
	:: atomic { !ON_DISK && RULE(ONE_FILE) ->
		d_epoch = n_epoch; d_gen = n_gen; d_v0 = n_v0; d_v1 = n_v1 }
	:: atomic { (d_epoch != n_epoch || d_gen != n_gen) && !RULE(ONE_FILE) ->
		d_epoch = n_epoch; d_gen = n_gen }
	:: atomic { (d_v0 != n_v0 || d_v1 != n_v1) && !RULE(ONE_FILE) -> d_v0 = n_v0; d_v1 = n_v1 }
	:: atomic { beat && n_up -> report() }
	od
}

inline change() {
	s_gen++;
	if
	:: s_v0 = fresh; s_at0 = s_gen
	:: s_v1 = fresh; s_at1 = s_gen
	fi;
	fresh++
}

/* The Control Panel comes back with what the store has. */
inline begin_anew() {
	end_stream();
	published = s_gen
}

inline back_up() {
	has_backup = true;
	b_epoch = s_epoch; b_gen = s_gen; b_v0 = s_v0; b_v1 = s_v1; b_at0 = s_at0; b_at1 = s_at1
}

inline restore() {
	s_epoch = b_epoch; s_gen = b_gen; s_v0 = b_v0; s_v1 = b_v1; s_at0 = b_at0; s_at1 = b_at1
}

proctype world() {
	byte i;

end:	do
	:: atomic { events_left > 0 ->
		events_left--;
		if
		:: true /* nothing more */
		:: change()
		:: end_stream() /* a cut */
		:: begin_anew() /* the Control Panel restarts */
		:: n_up = false; end_stream(); x_on = false; n_all = false; /* the node does */
			n_epoch = d_epoch; n_gen = d_gen; n_v0 = d_v0; n_v1 = d_v1
		:: !has_backup -> back_up()
		:: has_backup -> restore();
			if
			:: RULE(IDENTITY) -> new_epoch(0)
			:: else
			fi;
			begin_anew()
		:: has_backup && may_roll -> restore(); rolled = true; begin_anew()
		:: may_spoil -> n_v0 = JUNK
		:: may_drop && nempty(stream) ->
			if
			:: stream?delta,_,_,_,_,_,_,_ -> waiting = (waiting > 0 -> waiting - 1 : 0)
			:: stream?chunk0,_,_,_,_,_,_,_
			:: stream?chunk1,_,_,_,_,_,_,_
			fi
		:: may_replay && r_kind == 1 && n_up && up && len(stream) < CAP ->
			stream!delta, r_epoch, r_from, r_to, r_v0, r_v1, r_d0, r_d1;
			waiting++
		:: may_replay && r_kind == 2 && n_up && up && len(stream) < CAP ->
			stream!chunk0, r_epoch, 0, r_to, r_v0, KEEP, r_d0, r_d1;
			stream!chunk1, r_epoch, 0, r_to, KEEP, r_v1, r_d0, r_d1
		:: may_replay && r_kind == 2 && n_up && up && len(stream) < CAP ->
			stream!chunk1, r_epoch, 0, r_to, KEEP, r_v1, r_d0, r_d1
		fi
	}
	od
}

/* When nothing moves any more there are heartbeats, and then all must be well. */
proctype judge() {
	byte beats;

	do
	:: timeout ->
		if
		:: beats < 3 -> beats++; beat = true
		:: else ->
			assert(up && n_up);
			assert(n_epoch == s_epoch && n_gen == s_gen);
			assert(n_v0 == s_v0 && n_v1 == s_v1);
			break
		fi
	od
}

init {
	atomic {
	c_code {
		const char *setting = getenv("QMESH_SPIN");
		int without = 0, n = 4, spoil = 0, roll = 0, drop = 0, replay = 0;

		if (setting)
			sscanf(setting, "%d %d %d %d %d %d", &n, &spoil, &roll, &drop, &replay,
			       &without);
		now.events_left = n;
		now.may_spoil = spoil;
		now.may_roll = roll;
		now.may_drop = drop;
		now.may_replay = replay;
		now.without = without;
	};
	run panel();
	run node();
	run world();
	run judge()
	}
}
