import os

import numpy as np

# Levels as Python's logging numbers them: 10 debug, 20 info, 30 warning.
__logger_cfg__ = dict(
    logger_name="root",
    aws_level=10,
    file_level=10,
    console_level=20,
    logger_path='logs/web_backend.log',
)

type = 'FastAPIServer'
mongodb_host = os.environ.get('MONGODB_HOST')
mongodb_port = int(os.environ.get('MONGODB_PORT', 27017))
mongodb_username = os.getenv('MONGODB_USERNAME', 'web_user')
mongodb_password = os.getenv('MONGODB_PASSWORD', 'stands-in-the-file')
mongodb_database = os.getenv('MONGODB_DATABASE', 'web_database')
mongodb_auth_database = os.getenv('MONGODB_AUTH_DATABASE', 'admin')
default_character_config_paths = [
    'characters/first.json',
    os.path.join('characters', 'second.json'),
]
aws_region = os.environ['AWS_REGION']
enable_cors = True
host = '127.0.0.1'
port = 0
logger_cfg = __logger_cfg__

motion_file_api_cfg = dict(
    type="MotionFileApiV1",
    meta_reader_cfg=dict(
        type="SQLiteMetaReader",
        sqlite_path='data/motions.db',
        logger_cfg=__logger_cfg__,
    ),
    motion_reader_cfg=dict(
        type="MinioMotionReader",
        endpoint='127.0.0.1:9000',
        access_key='reader',
        secret_key=os.getenv('OSS_SECRET_KEY', 'stands-in-the-file'),
        file_paths={17: 'motion/17.npz'},
        version=3,
        float_dtype=np.float32,
    ),
    restpose_reader_cfg=dict(
        type="FilesystemFileReader",
        root_dir='data',
        file_paths={'KQ-default': 'restpose/first.npz'},
    ),
    mesh_reader_cfg=dict(
        type="FilesystemFileReader",
        root_dir='data',
        file_paths={
            'KQ-default': 'mesh/first.glb',
            'FNN-default': 'mesh/second.glb'
        },
    ),
    blendshapes_meta_reader_cfg=dict(
        type="FilesystemFileReader",
        root_dir='data',
        file_paths={'KQ-default': 'blendshapes/first.json'},
    ),
    maintain_check_interval=60,
)
