"""Faults to put into a copy of the code, each with the test that must notice: `rows` of docs/reliability.md.

{row of the table of faults: {what is swapped in: (file, its text, what stands in its place, the test)}}. The text must
stand there exactly once, so that a change of the code that would make a mutant idle is noticed.
"""

CHECKSUM = '    return None if path.stem.endswith(f"-{digest[:HASH_DIGITS]}") else'
DAMAGE, FAULTS, ENEMIES, CLI, CLUSTER, STORE, DATA = (
    f"test_{name}.py::test_" for name in ("damage", "faults", "enemies", "cli", "cluster", "store", "data")
)

# In every run of the suite.
ALWAYS = {
    "a writer that writes in place": (
        "store.py",
        '    aside = path.with_name(f".{path.name}.aside")\n',
        "    aside = path\n",
        f"{DAMAGE}a_sweep_killed_in_the_middle_of_its_first_part_leaves_no_part_and_is_said_to_have_begun",
    ),
    "a resume that trusts that a file exists": (
        "store.py",
        "        wrong = _wrong(path) or _wrong(folder / LAYERS / _layers_of(path)) or _misnamed(path)\n",
        "        wrong = None if path.exists() else str(path)\n",
        f"{STORE}a_damaged_part_is_named_by_who_reads_and_computed_again[layers-truncated]",
    ),
    "a resume that trusts a file's size": (
        "store.py",
        CHECKSUM,
        "    return None if path.stat().st_size else",
        f"{STORE}a_damaged_part_is_named_by_who_reads_and_computed_again[layers-flipped]",
    ),
    "a checksum that is never compared": (
        "store.py",
        CHECKSUM,
        "    return None if digest else",
        f"{STORE}a_damaged_part_is_named_by_who_reads_and_computed_again[networks-flipped]",
    ),
    "a block that is committed before it is whole": (
        "store.py",
        "    publish(folder / LAYERS / name, content, LAYERS)\n    content = _encoded(networks",
        "    late, content = content, _encoded(networks",
        f"{STORE}the_networks_part_comes_last",
    ),
    "a lock that is a plain file": (
        "folder.py",
        "            return fcntl.flock(lock, kind | fcntl.LOCK_NB)\n        except BlockingIOError:\n",
        "            if (lock.seek(0) or lock.read()) and kind == fcntl.LOCK_EX: raise BlockingIOError\n"
        "            return\n        except BlockingIOError:\n",
        f"{STORE}a_lock_file_of_a_process_that_is_gone_holds_nothing",
    ),
    "checksums before the lock": (
        "driver.py",
        "    require_free(folder)\n",
        "    store.done(folder)\n    require_free(folder)\n",
        f"{DAMAGE}checksums_come_after_the_lock",
    ),
    "blocks made elsewhere, mixed in silence": (
        "driver.py",
        "    if elsewhere and _plan(sweep, finished).blocks and not mixed:\n",
        "    if False:\n",
        f"{DAMAGE}results_of_another_version_are_not_mixed_in_silence",
    ),
}

PROCESSES = {
    "a resumed sweep whose blocks know that it was": (
        "driver.py",
        "outcome.tables.networks, outcome.made_with)\n",
        "outcome.tables.networks, outcome.made_with | {'after': str(len(finished))})\n",
        f"{FAULTS}a_sweep_that_is_killed_at_any_instant_is_finished_by_the_next_one",
    ),
    "what an interrupted run left is not removed": (
        "driver.py",
        "    store.tidy(folder, keep=finished.values())\n",
        "",
        f"{STORE}what_an_interrupted_run_left_is_not_read_and_is_removed",
    ),
    "a config written in place": (
        "store.py",
        '    aside = path.with_name(f".{path.name}.aside")\n',
        '    aside = path if path.suffix == ".yaml" else path.with_name(f".{path.name}.aside")\n',
        f"{DAMAGE}a_sweep_killed_at_any_step_of_any_file_goes_on_as_if_nothing_had_been",
    ),
    "a figure written in place": (
        "store.py",
        '    aside = path.with_name(f".{path.name}.aside")\n',
        '    aside = path if path.suffix == ".png" else path.with_name(f".{path.name}.aside")\n',
        f"{DAMAGE}a_sweep_killed_while_a_figure_is_written_goes_on_as_if_nothing_had_been",
    ),
    "workers that do not watch the driver": (
        "executors.py",
        "    threading.Thread(target=_end_with_the_driver, daemon=True).start()\n",
        "",
        f"{FAULTS}no_process_outlives_a_driver_that_is_killed_even_inside_a_long_product",
    ),
    "a worker's death ends its block": (
        "dispatch.py",
        "        if deaths[block.name] < STRIKES:\n            return None\n",
        "",
        f"{FAULTS}a_worker_that_is_killed_is_replaced_and_its_block_tried_again",
    ),
    "a block that kills its workers is tried more often": (
        "dispatch.py",
        "STRIKES = 3 ",
        "STRIKES = 5 ",
        f"{FAULTS}a_block_that_fails_is_set_aside_and_named_while_the_rest_is_done",
    ),
    "a block that fails ends the sweep": (
        "dispatch.py",
        "    except Exception as error:\n        return Failed",
        "    except ZeroDivisionError as error:\n        return Failed",
        f"{FAULTS}a_block_that_fails_is_set_aside_and_named_while_the_rest_is_done",
    ),
    "an error for want of memory like any other": (
        "dispatch.py",
        "    except MemoryError as error:\n",
        "    except ZeroDivisionError as error:\n",
        f"{FAULTS}a_block_that_runs_out_of_memory_is_named_while_the_rest_is_done",
    ),
    "kills for want of memory are not counted": (
        "executors.py",
        '    return int(counts.get("oom_kill", 0))\n',
        "    return 0 * len(counts)\n",
        f"{FAULTS}a_block_that_the_kernel_kills_for_lack_of_memory_is_named_while_the_rest_is_done",
    ),
    "Ctrl-C is heard by Python alone": (
        "interrupts.py",
        "    _insist()\n    try:\n",
        "    try:\n",
        f"{FAULTS}ctrl_c_ends_a_long_call_within_5_s_and_a_second_one_at_once",
    ),
    "a second Ctrl-C is left to Python as it ends": (
        "interrupts.py",
        "        on_interrupt(signal.SIG_IGN)  #",
        "        #",
        f"{FAULTS}a_second_ctrl_c_while_the_first_is_being_heard_changes_no_exit_code",
    ),
    "Ctrl-C with the exit code of a failure": (
        "interrupts.py",
        "        raise typer.Exit(130) from None\n",
        "        raise typer.Exit(1) from None\n",
        f"{CLI}ctrl_c_keeps_finished_blocks_and_leaves_no_process",
    ),
    "worker processes that cannot start are blocks that died": (
        "executors.py",
        "        raise HarnessError(\n            f\"worker processes do not start ({how})",
        "        raise WorkerDied(\n            f\"worker processes do not start ({how})",
        "test_executors.py::test_workers_that_cannot_start_end_the_sweep_with_what_to_do",
    ),
}

DISKS = {
    "what was written aside on a full disk stays": (
        "store.py",
        "    except OSError as error:\n        _remove(aside)\n",
        "    except OSError as error:\n",
        f"{DAMAGE}a_full_disk_is_said_and_leaves_nothing_half_and_is_gone_on_from",
    ),
    "an error of the disk comes out as it is": (
        "store.py",
        "    except OSError as error:\n        _remove(aside)\n",
        "    except FileNotFoundError as error:\n        _remove(aside)\n",
        f"{DAMAGE}a_limit_on_the_size_of_files_is_said_and_gone_on_from",
    ),
    "a folder that is not tried": (
        "folder.py",
        "            _try_writing(folder)\n",
        "",
        f"{DAMAGE}a_folder_that_cannot_be_written_is_refused_before_anything_is_computed[r/layers]",
    ),
    "a missing parent is made": (
        "folder.py",
        "    if not parent.is_dir():\n        raise",
        "    if not parent.is_dir():\n        parent.mkdir(parents=True)\n        raise",
        f"{DAMAGE}a_place_that_cannot_be_is_refused_before_anything_is_computed",
    ),
    "a file in the folder's place is looked into": (
        "folder.py",
        "    if not folder.is_dir():\n",
        "    if False:\n",
        f"{DAMAGE}a_place_that_cannot_be_is_refused_before_anything_is_computed",
    ),
    "links out of the folder are followed": (
        "folder.py",
        "        if path.is_symlink():\n",
        "        if False:\n",
        f"{DAMAGE}links_out_of_the_results_folder_are_refused_and_nothing_is_written_through_them",
    ),
    "a part cut short is not looked at": (
        "store.py",
        CHECKSUM,
        "    return None if digest else",
        f"{DAMAGE}a_part_cut_at_any_length_is_found_and_named",
    ),
    "readers take the parts that are whole": (
        "store.py",
        "    if damaged:\n        raise",
        "    if damaged and not blocks:\n        raise",
        f"{STORE}a_damaged_part_is_named_by_who_reads_and_computed_again",
    ),
    "a part is what its name says": (
        "store.py",
        " or _misnamed(path)\n",
        "\n",
        f"{DAMAGE}a_part_under_another_blocks_name_is_not_taken_for_it",
    ),
    "a lost manifest is empty": (
        "results.py",
        "        return self._manifest_file or self._manifest_again()\n",
        "        return self._manifest_file or {}\n",
        f"{DAMAGE}a_manifest_that_is_lost_or_damaged_is_rebuilt",
    ),
    "a manifest is believed": (
        "results.py",
        "            return manifest if _is_whole(manifest) else None\n",
        "            return manifest\n",
        f"{DAMAGE}a_manifest_that_is_lost_or_damaged_is_rebuilt",
    ),
    "claims are believed": (
        "claims.py",
        "        if graded.grade not in (HOLDS, UNDECIDED, FAILS):\n",
        "        if False:\n",
        f"{DAMAGE}damaged_claims_are_named_with_the_remedy_before_anything_is_shown",
    ),
    "heavy imports before a folder in use is told": (
        "cli.py",
        "    from harness import folder\n    from harness.config import read",
        "    from harness import driver, folder, results, verify\n    from harness.figures import page\n"
        "    from harness.config import read",
        f"{DAMAGE}a_second_run_ends_at_once_even_where_checksums_would_take_long",
    ),
    "a lock that outlives its process": (
        "folder.py",
        "            return fcntl.flock(lock, kind | fcntl.LOCK_NB)\n        except BlockingIOError:\n",
        "            if (lock.seek(0) or lock.read()) and kind == fcntl.LOCK_EX: raise BlockingIOError\n"
        "            return\n        except BlockingIOError:\n",
        f"{DAMAGE}a_lock_ends_with_its_process_even_where_its_workers_live_on",
    ),
    "a lock that gives up at once": (
        "folder.py",
        "PROBE = 0.05 ",
        "PROBE = 0 ",
        f"{DAMAGE}a_lock_that_a_reader_looks_at_can_still_be_taken",
    ),
    "a fingerprint without the BLAS": (
        "environment.py",
        '        "blas": _blas(),\n',
        '        "blas": "some",\n',
        f"{DAMAGE}blocks_of_another_kernel_are_not_mixed_in_silence",
    ),
    "results that do not know the code": (
        "environment.py",
        '"code": CODE}',
        '"code": ""}',
        f"{DAMAGE}results_of_edited_code_are_not_mixed_in_silence",
    ),
    "workers of any code": (
        "dispatch.py",
        '    if made.made_with["code"] != CODE:\n',
        "    if False:\n",
        f"{DAMAGE}code_that_is_edited_while_a_sweep_runs_ends_it",
    ),
    "texts written out, row by row": (
        "tables.py",
        "        column = column.dictionary_encode() if pa.types.is_string(column.type) else column\n",
        "",
        f"{STORE}texts_are_dictionaries_and_nan_is_null_and_minus_infinity_stays",
    ),
}

DASK = {
    "a lost scheduler is waited for": (
        "cluster.py",
        "            )\n            self._fail(self._lost)\n",
        "            )\n",
        f"{CLUSTER}a_lost_scheduler_ends_the_driver_soon_and_the_next_run_goes_on",
    ),
    "workers are not examined": (
        "cluster.py",
        "        names = [name for name in here if here[name] != there[name]]\n",
        "        names = []\n",
        f"{CLUSTER}a_worker_with_another_fingerprint_is_refused_also_when_it_joins_late",
    ),
    "every suspect of a death is charged": (
        "cluster.py",
        "                if suspects == [task]:\n",
        "                if task in suspects:\n",
        f"{CLUSTER}a_block_that_kills_its_workers_is_set_aside_and_named_while_the_rest_is_done",
    ),
    "the death of a cluster's worker ends its block": (
        "dispatch.py",
        "        if deaths[block.name] < STRIKES:\n            return None\n",
        "",
        f"{CLUSTER}the_bytes_are_those_of_one_process_though_a_worker_is_killed",
    ),
    "data files are opened by workers": (
        "remote.py",
        "        provide(data, dataset)\n",
        "        pass\n",
        f"{CLUSTER}a_worker_needs_no_file_of_the_drivers",
    ),
    "a knock without a certificate": (
        "cluster.py",
        ', **Security().get_connection_args("client"))',
        ")",
        f"{CLUSTER}a_cluster_under_tls_admits_holders_of_a_certificate_and_nobody_else",
    ),
}

INPUT = {
    "aliases are read": (
        "yaml_positions.py",
        "        if isinstance(event, yaml.AliasEvent):\n",
        "        if False:\n",
        f"{ENEMIES}an_enemys_config_is_refused_within_a_second_and_200_mb[anchors that explode]",
    ),
    "files of any size are read": (
        "config/reading.py",
        "            return file.read(yaml_positions.MAX_BYTES + 1)\n",
        "            return file.read()\n",
        "test_config.py::test_a_file_of_100_mb_is_refused_without_being_read",
    ),
    "texts of any length are parsed": (
        "yaml_positions.py",
        "    if len(content) > MAX_BYTES:\n",
        "    if False:\n",
        f"{ENEMIES}an_enemys_config_is_refused_within_a_second_and_200_mb[a 100 MB line]",
    ),
    "nesting of any depth": (
        "yaml_positions.py",
        "        if len(path) > MAX_DEPTH:\n",
        "        if False:\n",
        f"{ENEMIES}an_enemys_config_is_refused_within_a_second_and_200_mb[100,000-deep lists]",
    ),
    "sizes are not counted": (
        "config/checks.py",
        "    if not allow_large and note(",
        "    if False and note(",
        f"{ENEMIES}an_enemys_config_is_refused_within_a_second_and_200_mb[10^9 networks]",
    ),
    "names of any kind": (
        "config/models.py",
        '_FOLDER = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?"\n',
        '_FOLDER = r"(?s:.*)"\n',
        f"{ENEMIES}a_name_that_could_leave_the_results_folder_is_refused_and_nothing_is_written",
    ),
    "questions of any checkout": (
        "questions.py",
        "    if not Path.cwd().is_relative_to(root):\n",
        "    if False:\n",
        f"{ENEMIES}a_questions_file_of_another_checkout_is_not_run",
    ),
    "a question's path is not printed": (
        "cli.py",
        '        say(f"{prepared.question.path}: {prepared.question.sentence}")\n',
        "        say(prepared.question.sentence)\n",
        f"{ENEMIES}a_questions_file_is_run_in_the_users_own_checkout_and_its_path_is_printed",
    ),
    "an axis that evaluates": (
        "value_types.py",
        "    def check(value: object) -> int:\n",
        "    def check(value: object) -> int:\n        value = eval(value) if isinstance(value, str) else value\n",
        f"{ENEMIES}names_come_from_tables_and_expressions_are_not_evaluated",
    ),
    "text as it comes": (
        "terminal.py",
        '    return "".join(c if c.isprintable() else "�" for c in text)\n',
        "    return text\n",
        "test_text.py::test_whatever_a_data_file_holds_is_shown_as_text",
    ),
    "cells as they come": (
        "terminal.py",
        "Text(printable(cell)) for cell in row",
        "Text(cell) for cell in row",
        "test_text.py::test_whatever_results_and_questions_say_is_shown_as_text",
    ),
    "values quoted as they come": (
        "problems.py",
        "        return repr(value if len(value) <= 60 else value[:57] + \"...\")\n",
        "        return value\n",
        f"{ENEMIES}a_name_that_could_leave_the_results_folder_is_refused_and_nothing_is_written",
    ),
    "labels of figures as they come": (
        "figures/text.py",
        '        sign if sign.isprintable() and ord(sign) in _glyphs() else sign.encode("unicode_escape").decode()\n',
        "        sign\n",
        "test_figures_drawn.py::test_labels_are_shown_as_text",
    ),
    "pickles are loaded": (
        "data.py",
        "    with np.load(path, allow_pickle=False) as arrays:\n",
        "    with np.load(path, allow_pickle=True) as arrays:\n",
        f"{DATA}no_pickle_is_ever_loaded",
    ),
    "parquet types are looked at when all is unpacked": (
        "data.py",
        "            if str(field.type) not in _NUMERIC:\n",
        "            if False:\n",
        f"{ENEMIES}a_small_file_that_would_take_gigabytes_is_refused_in_little_memory",
    ),
    "NaN in data": (
        "data.py",
        "    if not finite.all():\n",
        "    if False:\n",
        f"{DATA}what_cannot_be_used_is_refused_with_file_and_column",
    ),
    "a data file that changed is read": (
        "data.py",
        "    if changed:\n",
        "    if False:\n",
        f"{ENEMIES}a_data_file_that_changes_while_a_sweep_begins_ends_it_with_a_word[1]",
    ),
    "a sweep that calls home": (
        "driver.py",
        "        started = time.monotonic()\n",
        "        started = time.monotonic()\n        import socket\n"
        "        with socket.socket() as home: home.connect_ex(('127.0.0.1', 9))\n",
        f"{ENEMIES}a_sweep_opens_no_network_connection",
    ),
    "a worker that calls home": (
        "run.py",
        "    within = within or fit(block, settings)\n",
        "    within = within or fit(block, settings)\n    import socket\n"
        "    with socket.socket() as home: home.connect_ex(('127.0.0.1', 9))\n",
        f"{ENEMIES}a_sweep_opens_no_network_connection",
    ),
    "a sweep that needs the network": (
        "driver.py",
        "        started = time.monotonic()\n",
        "        started = time.monotonic()\n        import socket\n"
        "        socket.create_connection(('192.0.2.1', 9), timeout=1)\n",
        f"{ENEMIES}a_sweep_needs_no_network_at_all",
    ),
    "a terminal of UTF-8 is taken for granted": (
        "cli.py",
        '        stream.reconfigure(errors="replace")',
        "        pass",
        f"{CLI}unusual_surroundings_change_no_result[latin-1]",
    ),
    "a reader that ends early is an error": (
        "terminal.py",
        "    except BrokenPipeError:\n",
        "    except ZeroDivisionError:\n",
        f"{CLI}a_sweep_whose_output_nobody_reads_is_finished",
    ),
}

NUMBERS = {
    "a result that remembers what was computed before": (
        "run.py",
        "    within = within or fit(block, settings)\n",
        "    within = within or fit(block, settings)\n    turns.before = getattr(turns, 'before', 0) + 1\n"
        "    settings = __import__('dataclasses').replace(settings, decades=settings.decades / turns.before)\n",
        "test_dispatch.py::test_the_bytes_of_a_block_do_not_depend_on_the_order_of_blocks",
    ),
    "a result that knows its worker": (
        "run.py",
        "return tables(records, settings.seed, settings.decades,",
        "return tables(records, settings.seed, settings.decades + 1e3 * (__import__('multiprocessing')"
        ".parent_process() is None),",
        f"{CLI}tables_do_not_depend_on_the_number_of_workers",
    ),
    "tables that say where they were made": (
        "environment.py",
        '        "cpu": f"{platform.system()} ',
        '        "cpu": f"{platform.node()} ',
        f"{CLI}unusual_surroundings_change_no_result[another host]",
    ),
    "nulls without a status": (
        "turn.py",
        '                texts[j, i] if failed[j] else f"slope underflows at layer {lost[j]}" if lost[j] else OK\n',
        "                OK\n",
        "test_edges.py::test_any_sweep_explains_itself",
    ),
}

SOAK = PROCESSES | DISKS | DASK | INPUT | NUMBERS
