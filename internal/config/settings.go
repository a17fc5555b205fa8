package config

import "time"

// setting is one key: its name in the file, its environment variable, and the
// field that it sets.
type setting struct {
	key   string
	env   string
	value value
}

// settings returns the table of all keys, bound to the fields of c.
func (c *Config) settings() []setting {
	const limit = 1 << 30 // bytes; far above any useful value
	return append([]setting{
		{"store", "WEB_BACKEND_STORE", choice(&c.Store, Stores...)},
		{"host", "WEB_BACKEND_HOST", host(&c.Host, "port", true)},
		{"port", "WEB_BACKEND_PORT", number(&c.Port, 0, 65535)},
		{"data_dir", "WEB_BACKEND_DATA_DIR", text(&c.DataDir, true)},
		{"cache_mb", "WEB_BACKEND_CACHE_MB", number(&c.CacheMB, 0, 100_000)},
		{"base_path", "WEB_BACKEND_BASE_PATH", path(&c.BasePath)},
		{"tls_cert", "WEB_BACKEND_TLS_CERT", text(&c.TLSCert, false)},
		{"tls_key", "WEB_BACKEND_TLS_KEY", text(&c.TLSKey, false)},
		{"debug_address", "WEB_BACKEND_DEBUG_ADDRESS", address(&c.DebugAddress)},
		{"type", "", text(&c.Type, false)},
		{"master_key", "WEB_BACKEND_MASTER_KEY", secret(&c.MasterKey, true)},

		{"default_timezone", "WEB_BACKEND_DEFAULT_TIMEZONE", timezone(&c.DefaultTimezone)},
		{"default_user_config_path", "WEB_BACKEND_DEFAULT_USER_CONFIG_PATH", text(&c.DefaultUserConfigPath, false)},
		{"default_character_config_paths", "WEB_BACKEND_DEFAULT_CHARACTER_CONFIG_PATHS", list(&c.DefaultCharacterConfigPaths, "a list of paths", readPath)},

		{"enable_cors", "WEB_BACKEND_ENABLE_CORS", boolean(&c.EnableCORS)},
		{"cors_origins", "WEB_BACKEND_CORS_ORIGINS", list(&c.CORSOrigins, "a list of origins such as https://example.org", readOrigin)},

		{"access", "WEB_BACKEND_ACCESS", choice(&c.Access.Mode, "open", "guarded", "strict")},
		{"local_operator", "WEB_BACKEND_LOCAL_OPERATOR", boolean(&c.Access.LocalOperator)},
		{"operator_token", "WEB_BACKEND_OPERATOR_TOKEN", secret(&c.Access.OperatorToken, true)},
		{"token_lifetime", "WEB_BACKEND_TOKEN_LIFETIME", duration(&c.Access.TokenLifetime, time.Minute, 365*24*time.Hour)},
		{"trusted_proxies", "WEB_BACKEND_TRUSTED_PROXIES", list(&c.Access.TrustedProxies, "a list of addresses or networks such as 10.0.0.0/8", readProxy)},
		{"rate_limit.address_per_minute", "WEB_BACKEND_RATE_LIMIT_ADDRESS_PER_MINUTE", number(&c.Access.RatePerAddress, 0, 1_000_000)},
		{"rate_limit.address_burst", "WEB_BACKEND_RATE_LIMIT_ADDRESS_BURST", number(&c.Access.RateAddressBurst, 1, 1_000_000)},
		{"rate_limit.username_per_minute", "WEB_BACKEND_RATE_LIMIT_USERNAME_PER_MINUTE", number(&c.Access.RatePerUsername, 0, 1_000_000)},
		{"rate_limit.username_from_all", "WEB_BACKEND_RATE_LIMIT_USERNAME_FROM_ALL", number(&c.Access.RatePerUsernameFromAll, 0, 1_000_000)},
		{"rate_limit.writes_per_minute", "WEB_BACKEND_RATE_LIMIT_WRITES_PER_MINUTE", number(&c.Access.WritesPerUser, 0, 1_000_000)},
		{"rate_limit.writes_burst", "WEB_BACKEND_RATE_LIMIT_WRITES_BURST", number(&c.Access.WritesPerUserBurst, 1, 1_000_000)},
		{"registration", "WEB_BACKEND_REGISTRATION", choice(&c.Accounts.Registration, RegistrationOpen, RegistrationClosed)},
		{"password_min_length", "WEB_BACKEND_PASSWORD_MIN_LENGTH", number(&c.Accounts.PasswordMinLength, 0, 256)},
		{"password_hash.memory_kib", "WEB_BACKEND_PASSWORD_HASH_MEMORY_KIB", number(&c.Accounts.HashMemoryKiB, 8, 1<<20)},
		{"password_hash.iterations", "WEB_BACKEND_PASSWORD_HASH_ITERATIONS", number(&c.Accounts.HashIterations, 1, 1<<20)},
		{"password_hash.parallelism", "WEB_BACKEND_PASSWORD_HASH_PARALLELISM", number(&c.Accounts.HashParallelism, 1, 255)},

		{"logger_cfg.logger_path", "WEB_BACKEND_LOG_PATH", text(&c.Log.Path, false)},
		{"logger_cfg.file_level", "WEB_BACKEND_LOG_FILE_LEVEL", level(&c.Log.FileLevel)},
		{"logger_cfg.console_level", "WEB_BACKEND_LOG_CONSOLE_LEVEL", level(&c.Log.ConsoleLevel)},
		{"logger_cfg.max_size_mb", "WEB_BACKEND_LOG_MAX_SIZE_MB", number(&c.Log.MaxSizeMB, 1, 10_000)},
		{"logger_cfg.max_files", "WEB_BACKEND_LOG_MAX_FILES", number(&c.Log.MaxFiles, 1, 1_000)},

		{"max_id_length", "WEB_BACKEND_MAX_ID_LENGTH", number(&c.Quotas.IDLength, 0, limit)},
		{"max_text_length", "WEB_BACKEND_MAX_TEXT_LENGTH", number(&c.Quotas.TextLength, 0, limit)},
		{"max_prompt_bytes", "WEB_BACKEND_MAX_PROMPT_BYTES", number(&c.Quotas.PromptBytes, 0, limit)},
		{"max_provider_key_bytes", "WEB_BACKEND_MAX_PROVIDER_KEY_BYTES", number(&c.Quotas.ProviderKeyBytes, 0, limit)},
		{"max_characters_per_user", "WEB_BACKEND_MAX_CHARACTERS_PER_USER", number(&c.Quotas.Characters, 0, limit)},
		{"max_users", "WEB_BACKEND_MAX_USERS", number(&c.Quotas.Users, 0, limit)},

		{"max_body_bytes", "WEB_BACKEND_MAX_BODY_BYTES", number(&c.Limits.MaxBodyBytes, 1<<10, limit)},
		{"max_header_bytes", "WEB_BACKEND_MAX_HEADER_BYTES", number(&c.Limits.MaxHeaderBytes, 4<<10, limit)},
		{"max_connections", "WEB_BACKEND_MAX_CONNECTIONS", number(&c.Limits.MaxConnections, 1, 1_000_000)},
		{"max_connections_per_address", "WEB_BACKEND_MAX_CONNECTIONS_PER_ADDRESS", number(&c.Limits.MaxConnectionsPerAddress, 0, 1_000_000)},
		{"read_header_timeout", "WEB_BACKEND_READ_HEADER_TIMEOUT", duration(&c.Limits.ReadHeaderTimeout, time.Second, time.Hour)},
		{"read_timeout", "WEB_BACKEND_READ_TIMEOUT", duration(&c.Limits.ReadTimeout, time.Second, time.Hour)},
		{"write_timeout", "WEB_BACKEND_WRITE_TIMEOUT", duration(&c.Limits.WriteTimeout, time.Second, time.Hour)},
		{"idle_timeout", "WEB_BACKEND_IDLE_TIMEOUT", duration(&c.Limits.IdleTimeout, time.Second, time.Hour)},
		{"shutdown_timeout", "WEB_BACKEND_SHUTDOWN_TIMEOUT", duration(&c.Limits.ShutdownTimeout, 0, time.Hour)},

		{"backup.every", "WEB_BACKEND_BACKUP_EVERY", duration(&c.Backup.Every, 0, 366*24*time.Hour)},
		{"backup.keep", "WEB_BACKEND_BACKUP_KEEP", number(&c.Backup.Keep, 1, 100_000)},
		{"backup.dir", "WEB_BACKEND_BACKUP_DIR", text(&c.Backup.Dir, true)},
	}, append(c.mongoDBSettings(), c.motionSettings()...)...)
}

// mongoDBSettings returns the keys of the MongoDB cluster.
func (c *Config) mongoDBSettings() []setting {
	m := &c.MongoDB
	return []setting{
		{"mongodb_uri", "MONGODB_URI", secret(&m.URI, false)},
		{"mongodb_host", "MONGODB_HOST", host(&m.Host, "mongodb_port", false)},
		{"mongodb_port", "MONGODB_PORT", number(&m.Port, 1, 65535)},
		{"mongodb_tls", "MONGODB_TLS", boolean(&m.TLS)},
		{"mongodb_tls_ca_file", "MONGODB_TLS_CA_FILE", text(&m.TLSCAFile, false)},
		{"mongodb_username", "MONGODB_USERNAME", text(&m.Username, false)},
		{"mongodb_password", "MONGODB_PASSWORD", secret(&m.Password, false)},
		{"mongodb_database", "MONGODB_DATABASE", text(&m.Database, true)},
		{"mongodb_auth_database", "MONGODB_AUTH_DATABASE", text(&m.AuthDatabase, true)},
		{"mongodb_admin_username", "MONGODB_ADMIN_USERNAME", text(&m.AdminUsername, false)},
		{"mongodb_admin_password", "MONGODB_ADMIN_PASSWORD", secret(&m.AdminPassword, false)},
		{"mongodb_credential_collection", "MONGODB_CREDENTIAL_COLLECTION", text(&m.CredentialCollection, true)},
		{"mongodb_user_collection", "MONGODB_USER_COLLECTION", text(&m.UserCollection, true)},
		{"mongodb_character_collection", "MONGODB_CHARACTER_COLLECTION", text(&m.CharacterCollection, true)},
		{"mongodb_timeout", "MONGODB_TIMEOUT", duration(&m.Timeout, 100*time.Millisecond, time.Minute)},
		{"mongodb_startup_timeout", "MONGODB_STARTUP_TIMEOUT", duration(&m.StartupTimeout, 0, time.Hour)},
		{"mongodb_max_pool_size", "MONGODB_MAX_POOL_SIZE", number(&m.MaxPoolSize, 1, 10_000)},
	}
}

// motionSettings returns the keys of motion files.
func (c *Config) motionSettings() []setting {
	k := &c.motion
	return []setting{
		{"motion.data_dir", "WEB_BACKEND_MOTION_DATA_DIR", text(&k.DataDir, false)},
		{"motion.join_file", "WEB_BACKEND_MOTION_JOIN_FILE", text(&k.JoinFile, false)},
		{"motion.float_type", "WEB_BACKEND_MOTION_FLOAT_TYPE", choice(&k.FloatType, halfFloat, singleFloat, doubleFloat)},
		{"motion.check_interval", "WEB_BACKEND_MOTION_CHECK_INTERVAL", duration(&k.CheckInterval, leastCheckInterval, mostCheckInterval)},
		{"motion.max_downloads", "WEB_BACKEND_MOTION_MAX_DOWNLOADS", number(&k.MaxDownloads, 1, 100_000)},
		{"motion.strict", "WEB_BACKEND_MOTION_STRICT", boolean(&k.Strict)},
		{"motion.mysql.host", "WEB_BACKEND_MOTION_MYSQL_HOST", host(&k.MySQL.Host, "motion.mysql.port", false)},
		{"motion.mysql.port", "WEB_BACKEND_MOTION_MYSQL_PORT", number(&k.MySQL.Port, 1, 65535)},
		{"motion.mysql.username", "WEB_BACKEND_MOTION_MYSQL_USERNAME", text(&k.MySQL.Username, false)},
		{mysqlPasswordKey, "WEB_BACKEND_MOTION_MYSQL_PASSWORD", secret(&k.MySQL.Password, false)},
		{"motion.mysql.database", "WEB_BACKEND_MOTION_MYSQL_DATABASE", text(&k.MySQL.Database, false)},
		{"motion.s3.endpoint", "WEB_BACKEND_MOTION_S3_ENDPOINT", endpoint(&k.S3.Endpoint)},
		{"motion.s3.access_key", "WEB_BACKEND_MOTION_S3_ACCESS_KEY", text(&k.S3.AccessKey, false)},
		{s3SecretKeyKey, "WEB_BACKEND_MOTION_S3_SECRET_KEY", secret(&k.S3.SecretKey, false)},
		{"motion.s3.bucket", "WEB_BACKEND_MOTION_S3_BUCKET", text(&k.S3.Bucket, true)},
		{"motion.s3.tls", "WEB_BACKEND_MOTION_S3_TLS", boolean(&k.S3.TLS)},
		{"motion.avatars", "", avatars(&k.Avatars)},
		{originalKey, "", original(&k.Original)},
	}
}
