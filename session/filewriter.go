package session

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
)

// maxBatch bounds how many changes share one commit, and with it how long the
// first of them waits for the last.
const maxBatch = 256

// probeOver removes what the last probe has written.
const probeOver = -1

// keyProbe has what probes write.
var keyProbe = []byte("probe")

// operation is one change on its way to the disk.
type operation struct {
	key    Key
	rule   func(old Entry, there bool) (Entry, error) // for create, replace, touch
	box    bool                                       // the rule changes the box too
	create bool                                       // there was no entry
	tell   bool                                       // watchers hear of it
	remove bool                                       // delete instead
	ifOver time.Time                                  // but only what ends before; zero for always
	swept  bool                                       // because of ifOver
	probe  int                                        // write so many bytes for the sake of writing, or probeOver: see Check

	entry Entry
	err   error
	done  chan struct{} // closed when err is final
}

// do hands one operation to the writer and waits for the disk. When the context
// ends first, the change may still happen.
func (f *File) do(ctx context.Context, op *operation) error {
	return f.doAll(ctx, []*operation{op})
}

// doAll does the same with many; the error is the first that any of them met.
func (f *File) doAll(ctx context.Context, ops []*operation) error {
	if f.isClosed() {
		return ErrClosed
	}
	for _, op := range ops {
		op.done = make(chan struct{})
		select {
		case f.ops <- op:
		case <-ctx.Done():
			return ctx.Err()
		case <-f.stopped:
			return ErrClosed
		}
	}
	var first error
	for _, op := range ops {
		if err := f.wait(ctx, op); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (f *File) wait(ctx context.Context, op *operation) error {
	select {
	case <-op.done:
		return op.err
	case <-ctx.Done():
		return ctx.Err()
	case <-f.stopped:
	}
	select {
	case <-op.done:
		return op.err
	default:
		return ErrClosed // it came after the writer's last look
	}
}

// write is the only goroutine that changes the file, and the only one that adds
// to the entries in memory. It ends after Close.
func (f *File) write() {
	defer close(f.stopped)
	debug.SetPanicOnFault(true) // for this goroutine: see store
	for {
		select {
		case op := <-f.ops:
			f.commit(f.gather(op))
		case <-f.quit:
			for {
				select {
				case op := <-f.ops:
					f.commit(f.gather(op))
				default:
					return
				}
			}
		}
	}
}

// gather takes along what waits already. Nobody is made to wait for company:
// while one commit is on its way to the disk, the next batch collects itself.
func (f *File) gather(first *operation) []*operation {
	batch := []*operation{first}
	for len(batch) < maxBatch {
		select {
		case op := <-f.ops:
			batch = append(batch, op)
		default:
			return batch
		}
	}
	return batch
}

// commit decides, writes, and only then shows the result in memory.
func (f *File) commit(batch []*operation) {
	changes := f.decide(batch)
	var err error
	if len(changes) > 0 {
		err = f.store(changes)
	}
	if err != nil {
		err = fmt.Errorf("writing the session store: %w", err)
	}
	if len(changes) > 0 {
		f.state.note(err, sizeOf(changes))
	}
	for _, op := range changes {
		op.err = err
		if err == nil {
			f.show(op)
		}
	}
	for _, op := range batch {
		close(op.done)
	}
}

// decide applies the rules one after the other, each seeing what those before it
// in the batch will have done, and returns the operations that change something.
func (f *File) decide(batch []*operation) []*operation {
	pending := make(map[Key]*operation, len(batch))
	changes := make([]*operation, 0, len(batch))
	for _, op := range batch {
		if op.probe != 0 {
			changes = append(changes, op)
			continue
		}
		old, there, err := f.current(op.key, pending)
		if err != nil && (!op.remove || !op.ifOver.IsZero()) {
			op.err = fmt.Errorf("reading the session store: %w", err)
			continue
		}
		if op.remove {
			op.swept = !op.ifOver.IsZero() && there && old.Ends.Before(op.ifOver)
			if op.swept || op.ifOver.IsZero() || !there { // what is no whole entry goes as well
				pending[op.key] = op
				changes = append(changes, op)
			}
			continue
		}
		if op.entry, op.err = op.rule(old, there); op.err == nil {
			pending[op.key] = op
			changes = append(changes, op)
		}
	}
	return changes
}

// current is what there is of a session after those that are pending.
func (f *File) current(key Key, pending map[Key]*operation) (e Entry, there bool, err error) {
	f.mu.RLock()
	e, there = f.memory.get(key)
	_, doomed := f.doomed[key]
	f.mu.RUnlock()
	switch before := pending[key]; {
	case doomed:
		return Entry{}, false, nil
	case before != nil:
		return before.entry, !before.remove, nil
	case there:
		return e, true, nil
	}
	e, err = f.read(key)
	if errors.Is(err, ErrNotFound) {
		return Entry{}, false, nil
	}
	return e, err == nil, err
}

// finished says whether err is final.
func (op *operation) finished() bool {
	select {
	case <-op.done:
		return op.err == nil
	default:
		return false
	}
}

// store writes all changes in one transaction. A panic out of bbolt, or a memory
// fault, means that the file was damaged under us; it must not take the sessions
// in memory along.
func (f *File) store(changes []*operation) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = f.damage(p)
		}
	}()
	count := f.count.Load()
	err = f.db.Update(func(tx *bbolt.Tx) error {
		about, heads, boxes, tags := tx.Bucket(bucketAbout), tx.Bucket(bucketHeads), tx.Bucket(bucketBoxes), tx.Bucket(bucketTags)
		for _, op := range changes {
			var err error
			switch {
			case op.probe > 0:
				err = about.Put(keyProbe, make([]byte, op.probe))
			case op.probe == probeOver:
				err = about.Delete(keyProbe)
			default:
				switch there := (op.create || op.remove) && heads.Get(op.key[:]) != nil; {
				case op.create && !there:
					count++
				case op.remove && there:
					count--
				}
				err = op.put(heads, boxes, tags)
			}
			if err != nil {
				return err
			}
		}
		return putCount(tx, count)
	})
	if err == nil {
		f.count.Store(count)
	}
	return err
}

// sizeOf is about how many bytes changes write.
func sizeOf(changes []*operation) (n int) {
	for _, op := range changes {
		n += max(op.probe, 0) + len(op.entry.Head)
		if op.box {
			n += len(op.entry.Box)
		}
	}
	return n
}

func (op *operation) put(heads, boxes, tags *bbolt.Bucket) error {
	key := op.key[:]
	if op.remove {
		if err := deleteTags(tags, key, tagsIn(boxes.Get(key))); err != nil {
			return err
		}
		if err := heads.Delete(key); err != nil {
			return err
		}
		return boxes.Delete(key)
	}
	if op.create {
		if err := putTags(tags, key, op.entry.Tags); err != nil {
			return err
		}
	}
	if op.box {
		if err := boxes.Put(key, encodeBox(op.entry)); err != nil {
			return err
		}
	}
	return heads.Put(key, encodeHead(op.entry))
}

// show makes a change that is on the disk visible. A session that was deleted
// meanwhile stays deleted: its removal waits behind this change.
func (f *File) show(op *operation) {
	if op.probe != 0 {
		return
	}
	f.mu.Lock()
	_, doomed := f.doomed[op.key]
	switch {
	case op.remove:
		delete(f.doomed, op.key)
		f.forget(op.key)
	case doomed:
		op.err = ErrNotFound
	default:
		f.epoch++
		f.memory.put(op.key, op.entry)
	}
	f.mu.Unlock()
	if (op.tell || op.swept) && op.err == nil {
		f.tell(op.key)
	}
}
