package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"web-backend/internal/app"
	"web-backend/internal/config"
)

// motionCommand groups the commands for motion files.
type motionCommand struct {
	Check motionCheckCommand `cmd:"" help:"Load motion files as serve does, and print what the DLP3D web client can use."`
	Demo  motionDemoCommand  `cmd:"" help:"Write a small folder of motion files, to try out the server and the DLP3D web client."`
}

// motionCheckCommand checks motion files.
type motionCheckCommand struct {
	configFlags
	Folder string `arg:"" optional:"" name:"folder" help:"Folder to check, with the same layout as motion.data_dir. Default: the motion files of the configuration."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (motionCheckCommand) Help() string {
	return `It reads the database and every file, and changes nothing. If the configuration names servers, it connects to them.
The exit status is 1 if there is a fault or if the web client cannot use an avatar.

    web-backend motion check data
    web-backend motion check --config_path configs/local.yaml --json`
}

// Validate is called by kong to check the command.
func (c *motionCheckCommand) Validate() error {
	if c.Folder != "" && c.ConfigPath != "" {
		return errors.New("name a folder or --config_path, not both")
	}
	return nil
}

// Run prints the report. It returns an error if there is a fault or the web
// client cannot use an avatar.
func (c *motionCheckCommand) Run(ctx context.Context, streams Streams) error {
	files, err := c.files(streams)
	if err != nil {
		return err
	}
	report, err := app.CheckMotion(ctx, files)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printIndentedJSON(streams.Out, report)
	} else {
		err = writeMotionReport(streams.Out, report)
	}
	if err == nil && !report.OK {
		err = errors.New(cell(report.Verdict))
	}
	return err
}

// files returns the motion files of the folder or, without a folder, of the
// configuration.
func (c *motionCheckCommand) files(streams Streams) (*config.Motion, error) {
	if c.Folder != "" {
		return config.MotionFolder(c.Folder), nil
	}
	cfg, err := c.load(streams)
	if err == nil && cfg.Motion == nil {
		err = errors.New("the configuration has no motion files; set motion.data_dir, or name a folder: web-backend motion check FOLDER")
	}
	if err != nil {
		return nil, err
	}
	return cfg.Motion, nil
}

func writeMotionReport(out io.Writer, report app.MotionReport) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "AVATAR\tCLIPS\tFRAMES\tMB\tFILES\tMISSING")
	for _, a := range report.Avatars {
		fmt.Fprintf(table, "%s\t%d\t%d\t%.2f\t%s\t%s\n", cell(a.Avatar), a.Clips, a.Frames, float64(a.Bytes)/1e6,
			cell(strings.Join(a.Files, ", ")), cell(strings.Join(a.Missing, ", ")))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, fault := range report.Faults {
		fmt.Fprintln(out, "fault:", cell(fault))
	}
	_, err := fmt.Fprintln(out, cell(report.Verdict))
	return err
}
