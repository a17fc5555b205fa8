# Motion files from a folder: SQLite beside the files.
import os

import numpy as np

__logger_cfg__ = dict(logger_name="root", file_level=10)
__avatars__ = ['KQ-default', 'Ani-default']
__database__ = dict(
    sqlite_path='data/motion_database.db',
    sqlite_join_cmd_path=os.path.join('configs', '3dac_sql_join.sql'),
    motion_record_table_name='motion_record',
    enabled_column_name='enabled',
    logger_cfg=__logger_cfg__,
)

type = 'FastAPIServer'
motion_file_api_cfg = dict(
    type='MotionFileApiV1',
    meta_reader_cfg=dict(type='SQLiteMetaReader', **__database__),
    motion_reader_cfg=dict(
        type='SQLiteFilesystemMotionReader',
        root_dir='data/motion_files',
        float_dtype=np.float32,
        blendshape_names=None,
        max_workers=4,
        **__database__),
    restpose_reader_cfg=dict(
        type='FilesystemFileReader',
        name='restpose_reader',
        root_dir='data',
        file_paths={
            'KQ-default': 'restpose_npz/KQ_default_0326_skeleton.npz',
            'Ani-default': 'restpose_npz/Ani_default_0827_skeleton.npz',
        },
        logger_cfg=__logger_cfg__,
    ),
    mesh_reader_cfg=dict(
        type='FilesystemFileReader',
        name='mesh_reader',
        root_dir='data',
        file_paths={'KQ-default': 'mesh_glb/keqing.glb', 'Ani-default': 'mesh_glb/ani.glb'},
    ),
    joints_meta_reader_cfg=dict(
        type='FilesystemFileReader',
        name='joints_meta_reader',
        root_dir='data',
        file_paths={'KQ-default': 'joints_meta/KQ-default_joints_meta.json'},
    ),
    rigids_meta_reader_cfg=dict(
        type='FilesystemFileReader',
        name='rigids_meta_reader',
        root_dir='data',
        file_paths={'KQ-default': 'rigids_meta/KQ-default_rigids_meta.json'},
    ),
    blendshapes_meta_reader_cfg=dict(
        type='FilesystemFileReader',
        name='blendshapes_meta_reader',
        root_dir='data',
        file_paths={key: 'blendshapes_meta/' + key + '_blendshapes_meta.json' for key in __avatars__},
    ),
    cache_cfg=dict(type='LocalCache', max_workers=1, logger_cfg=__logger_cfg__),
    maintain_check_interval=30,
    max_workers=4,
    logger_cfg=__logger_cfg__,
)
