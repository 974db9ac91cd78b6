CREATE TABLE "identity"."sealing_check" (
	"id" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"form" text NOT NULL
);
--> statement-breakpoint
ALTER TABLE "pipelines"."pipelines" ADD COLUMN "scheduled_since" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "pipelines"."runs" ADD COLUMN "airflow_dag_id" text;--> statement-breakpoint
ALTER TABLE "pipelines"."runs" ADD COLUMN "is_held" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "pipelines"."runs" ADD COLUMN "watermarks" jsonb;