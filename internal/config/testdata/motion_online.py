# Motion files from MySQL and MinIO, which the environment names.
import os

import numpy as np

__logger_cfg__ = dict(logger_name="root", file_level=10)
__mysql__ = dict(
    mysql_host=os.environ.get('MYSQL_HOST'),
    mysql_port=os.environ.get('MYSQL_PORT', 3306),
    mysql_username=os.environ.get('MYSQL_USER'),
    mysql_password=os.environ.get('MYSQL_PASSWORD'),
    mysql_database=os.environ.get('MYSQL_DATABASE'),
    mysql_join_cmd_path='configs/3dac_sql_join.sql',
)
__minio__ = dict(
    endpoint=os.environ.get('OSS_ENDPOINT'),
    access_key=os.environ.get('OSS_ACCESS_KEY'),
    secret_key=os.environ.get('OSS_SECRET_KEY'),
    bucket_name=os.environ.get('OSS_BUCKET', '3dac'),
)


motion_file_api_cfg = dict(
    type='MotionFileApiV1',
    meta_reader_cfg=dict(type='MySQLMetaReader', **__mysql__),
    motion_reader_cfg=dict(
        dict(type='MinioMySQLMotionReader', float_dtype=np.float32, **__mysql__),
        **__minio__),
    restpose_reader_cfg=dict(
        type='MinioFileReader', name='restpose_reader', max_workers=2,
        file_paths={'KQ-default': 'restpose_npz/KQ_default_0326_skeleton.npz'}, **__minio__),
    mesh_reader_cfg=dict(
        type='MinioFileReader', name='mesh_reader',
        file_paths={'KQ-default': 'mesh_glb/keqing.glb'}, **__minio__),
    joints_meta_reader_cfg=dict(
        type='MinioFileReader', name='joints_meta_reader',
        file_paths={'KQ-default': 'joints_meta/KQ-default_joints_meta.json'}, **__minio__),
    rigids_meta_reader_cfg=dict(
        type='MinioFileReader', name='rigids_meta_reader',
        file_paths={'KQ-default': 'rigids_meta/KQ-default_rigids_meta.json'}, **__minio__),
    blendshapes_meta_reader_cfg=dict(
        type='MinioFileReader', name='blendshapes_meta_reader',
        file_paths={'KQ-default': 'blendshapes_meta/KQ-default_blendshapes_meta.json'}, **__minio__),
    cache_cfg=dict(type='LocalCache'),
    logger_cfg=__logger_cfg__,
)
