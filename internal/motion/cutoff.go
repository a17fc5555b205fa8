package motion

import (
	"fmt"

	"web-backend/internal/motion/motionpb"
)

// cutoffs returns the frames and ranges at which a clip may be left and entered
// (§3.6). length is the number of frames in its file. The error names a frame
// that the file does not have.
func (r record) cutoffs(length int32) ([]*motionpb.CutoffFrame, []*motionpb.CutoffRange, error) {
	var frames []*motionpb.CutoffFrame
	var ranges []*motionpb.CutoffRange
	end := r.frames
	frame := func(index, left, right int32) {
		frames = append(frames, &motionpb.CutoffFrame{FrameIdx: index, LeftPriority: left, RightPriority: right})
	}
	span := func(start, end, priority int32) {
		ranges = append(ranges, &motionpb.CutoffRange{StartFrameIdx: start, EndFrameIdx: end, LeftPriority: priority, RightPriority: priority})
	}
	switch {
	case r.keyword:
		frame(0, 0, 2)
		frame(end-1, 2, 0)
	case r.random != nil:
		frame(0, 0, 1)
		for _, f := range r.random.frames {
			frame(f, 1, 1)
		}
		frame(end-1, 1, 0)
		for _, pair := range r.random.ranges {
			span(pair[0], pair[1], 1)
		}
	case r.idle:
		frame(0, 0, 0)
		frame(end-1, 0, 0)
		span(0, end, 0)
	default: // n_frames is not used
		end = length
		frame(0, 0, 0)
		frame(end-1, 0, 0)
	}
	if end > length {
		return nil, nil, fmt.Errorf("n_frames is %d, but its file has %d frames", end, length)
	}
	for _, f := range frames {
		if f.FrameIdx < 0 || f.FrameIdx >= length {
			return nil, nil, fmt.Errorf("cutoff frame %d is outside of its %d frames", f.FrameIdx, length)
		}
	}
	for _, s := range ranges {
		if s.StartFrameIdx < 0 || s.EndFrameIdx > length {
			return nil, nil, fmt.Errorf("cutoff range %d to %d is outside of its %d frames", s.StartFrameIdx, s.EndFrameIdx, length)
		}
	}
	return frames, ranges, nil
}
