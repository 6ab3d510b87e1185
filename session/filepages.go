package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// load sets the file up, or looks whether all of it is there. It reads next to nothing:
// a start takes the same with ten sessions and with a million.
func (f *File) load(path string) error {
	format, err := f.look(path)
	if err != nil || format == fileFormat {
		return err
	}
	return f.db.Update(func(tx *bbolt.Tx) error {
		about, err := tx.CreateBucketIfNotExists(bucketAbout)
		if err != nil {
			return err
		}
		for _, name := range [][]byte{bucketHeads, bucketBoxes, bucketTags} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		tags := tx.Bucket(bucketTags)
		err = tx.Bucket(bucketBoxes).ForEach(func(k, box []byte) error { return putTags(tags, k, tagsIn(box)) })
		if err != nil {
			return err
		}
		return about.Put(keyFormat, []byte{fileFormat})
	})
}

// look returns the file's format, zero for a file that was not set up. It panics where
// the file is not what was written.
func (f *File) look(path string) (format byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	err = f.db.View(func(tx *bbolt.Tx) error {
		about := tx.Bucket(bucketAbout)
		if about == nil {
			return nil
		}
		switch is := about.Get(keyFormat); {
		case len(is) == 1 && (is[0] == fileFormat || is[0] == formatWithoutTags):
			format = is[0]
		default:
			return fmt.Errorf("expected file format [%d], got %v: another version of claimproxy wrote it", fileFormat, is)
		}
		if info.Size() < tx.Size() {
			panic(fmt.Sprintf("it has %d bytes and should have %d", info.Size(), tx.Size()))
		}
		for _, name := range [][]byte{bucketHeads, bucketBoxes} {
			tx.Bucket(name).Cursor().First()
			tx.Bucket(name).Cursor().Last()
		}
		return nil
	})
	return format, err
}

// view reads the file. Damage under the program makes bbolt panic, or raises a memory
// fault: an error for who reads, and not the end of everybody's session.
func (f *File) view(read func(*bbolt.Tx) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = f.damage(p)
		}
	}()
	err = f.db.View(read)
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// read reads one entry.
func (f *File) read(key Key) (e Entry, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		found, ok := decodeEntry(tx.Bucket(bucketHeads).Get(key[:]), tx.Bucket(bucketBoxes).Get(key[:]))
		if !ok {
			return ErrNotFound
		}
		e = found.clone()
		return nil
	})
	return e, err
}

// tagged returns the keys of a tag, those of doomed sessions among them.
func (f *File) tagged(tag Tag) (keys []Key, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketTags).Cursor()
		for k, _ := c.Seek(tag[:]); bytes.HasPrefix(k, tag[:]); k, _ = c.Next() {
			if key, isKey := keyFrom(k[len(tag):]); isKey {
				keys = append(keys, key)
			}
		}
		return nil
	})
	return keys, err
}

// over returns the keys of the entries that Sweep may remove, and of what is no entry.
func (f *File) over(now time.Time) (keys []Key, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketHeads).ForEach(func(k, head []byte) error {
			if key, isKey := keyFrom(k); isKey && (len(head) < 8 || endsIn(head).Before(now)) {
				keys = append(keys, key)
			}
			return nil
		})
	})
	return keys, err
}

func putTags(bucket *bbolt.Bucket, key []byte, tags []Tag) error {
	for _, tag := range tags {
		if err := bucket.Put(append(tag[:], key...), nil); err != nil {
			return err
		}
	}
	return nil
}

func deleteTags(bucket *bbolt.Bucket, key []byte, tags []Tag) error {
	for _, tag := range tags {
		if err := bucket.Delete(append(tag[:], key...)); err != nil {
			return err
		}
	}
	return nil
}

func keyFrom(k []byte) (key Key, ok bool) {
	return key, copy(key[:], k) == len(key) && len(k) == len(key)
}

// decodeEntry returns an entry whose bytes are the file's: good until the end of the
// transaction.
func decodeEntry(head, box []byte) (Entry, bool) {
	const before = 8 + 1 // of the tags
	if len(head) < 8 || len(box) < before || len(box) < before+int(box[8])*len(Tag{}) {
		return Entry{}, false
	}
	tags := tagsIn(box)
	return Entry{
		Head: head[8:], Ends: endsIn(head),
		Revision: binary.BigEndian.Uint64(box), Tags: tags, Box: box[before+len(tags)*len(Tag{}):],
	}, true
}

func (e Entry) clone() Entry {
	e.Head, e.Box = bytes.Clone(e.Head), bytes.Clone(e.Box)
	return e
}

func endsIn(head []byte) time.Time { return time.UnixMilli(int64(binary.BigEndian.Uint64(head))) }

// tagsIn reads the tags in the value of a box; one that is too short has none.
func tagsIn(box []byte) []Tag {
	if len(box) < 9 || len(box) < 9+int(box[8])*len(Tag{}) {
		return nil
	}
	var tags []Tag
	n := int(box[8])
	box = box[9:]
	for range n {
		tags = append(tags, Tag(box))
		box = box[len(Tag{}):]
	}
	return tags
}

func encodeHead(e Entry) []byte {
	out := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(e.Head)), uint64(e.Ends.UnixMilli()))
	return append(out, e.Head...)
}

func encodeBox(e Entry) []byte {
	out := binary.BigEndian.AppendUint64(make([]byte, 0, 9+len(e.Tags)*len(Tag{})+len(e.Box)), e.Revision)
	out = append(out, byte(len(e.Tags)))
	for _, tag := range e.Tags {
		out = append(out, tag[:]...)
	}
	return append(out, e.Box...)
}
